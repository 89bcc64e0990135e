/** What a request says about the form of its answer, as a language. */

import { TrimtabError } from '../../core/errors.js';
import type { OutputFormat } from '../../core/messages.js';
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
  const pool = new ExpressionPool();
  pool.allow(MAX_EXPRESSIONS);
  try {
    return { pool, grammar: read(pool, format) };
  } catch (error) {
    if (!(error instanceof RegexError) && !(error instanceof GrammarSyntaxError)) {
      throw tooComplex(error, format.field);
    }
    const { field } = format;
    throw new TrimtabError('invalid_request', `${field}: ${error.message}`, { param: field, cause: error });
  }
}

function read(pool: ExpressionPool, format: OutputFormat): Expression {
  switch (format.kind) {
    case 'json-object':
      return new JsonText(pool).object;
    case 'json-schema':
      return schemaLanguage(new JsonText(pool), format.schema, format.field);
    case 'regex':
      return wholeRegexLanguage(pool, format.pattern, plainCharacters);
    case 'choice':
      return pool.choice(...format.choices.map((choice) => pool.literal(choice)));
    case 'grammar':
      return gbnfLanguage(pool, format.text);
  }
}
