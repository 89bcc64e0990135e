/** What a request says about the form of its answer, as a language. */

import { TrimtabError } from '../../core/errors.js';
import type { OutputFormat } from '../../core/messages.js';
import { canEnd } from './arrows.js';
import { plainCharacters } from './characters.js';
import { type Expression, ExpressionPool } from './expressions.js';
import { GrammarSyntaxError, gbnfLanguage } from './gbnf.js';
import { JsonText } from './json/json-text.js';
import { schemaLanguage } from './json-schema/compile-schema.js';
import { RegexError } from './regex/syntax.js';
import { wholeRegexLanguage } from './regex/to-expression.js';
import { tooComplex } from './token-automaton.js';

/** New expressions while a format is read. */
const MAX_EXPRESSIONS = 300_000;

export interface Language {
  readonly pool: ExpressionPool;
  readonly grammar: Expression;
}

/** Throws a `TrimtabError` that names the part of the request that is wrong or cannot be enforced. */
export function formatLanguage(format: OutputFormat): Language {
  return boundedLanguage(format.field, (pool) => readFormat(pool, format));
}

/** Makes a language in a pool of its own, within bounds. `field` is the part of the request it comes from. */
export function boundedLanguage(field: string, read: (pool: ExpressionPool) => Expression): Language {
  const pool = new ExpressionPool();
  pool.allow(MAX_EXPRESSIONS);
  try {
    return { pool, grammar: read(pool) };
  } catch (error) {
    if (!(error instanceof RegexError) && !(error instanceof GrammarSyntaxError)) {
      throw tooComplex(error, field);
    }
    throw new TrimtabError('invalid_request', `${field}: ${error.message}`, { param: field, cause: error });
  }
}

export function readFormat(pool: ExpressionPool, format: OutputFormat): Expression {
  switch (format.kind) {
    case 'json-object':
      return new JsonText(pool).object;
    case 'json-schema':
      return schemaLanguage(new JsonText(pool), format.schema, format.field);
    case 'regex':
      return requireText(pool, wholeRegexLanguage(pool, format.pattern, plainCharacters));
    case 'choice':
      return pool.choice(...format.choices.map((choice) => pool.literal(choice)));
    case 'grammar':
      return gbnfLanguage(pool, format.text);
  }
}

/** Lookaheads may contradict each other. */
function requireText(pool: ExpressionPool, language: Expression): Expression {
  if (canEnd(pool, language)) return language;
  throw new RegexError('no text matches it');
}
