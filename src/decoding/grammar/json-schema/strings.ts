import { canEnd } from '../arrows.js';
import { jsonCharacters, type SpellCharacters } from '../characters.js';
import type { Expression } from '../expressions.js';
import type { JsonText } from '../json/json-text.js';
import { RegexError } from '../regex/syntax.js';
import { regexLanguage } from '../regex/to-expression.js';
import { formats } from './formats.js';
import { countAt, invalid, type Located, type SchemaObject, unsupported } from './schema.js';

/** Conditions on one string hold together; any beyond its length fix the spelling of its characters. */
export function stringLanguage(json: JsonText, located: Located<SchemaObject>): Expression {
  const { schema, path } = located;
  const [min = 0, max = Number.POSITIVE_INFINITY] = [
    countAt(located, 'minLength'),
    countAt(located, 'maxLength'),
  ];
  if (min > max) throw invalid(`${path}.minLength`, `is more than maxLength, ${max}`);
  const patterns = [
    ...(schema.pattern === undefined ? [] : [patternLanguage(json, schema.pattern, `${path}.pattern`)]),
    ...formatLanguage(json, located),
  ];
  if (patterns.length === 0) return json.stringOf(min, max);
  const isLimited = min > 0 || max !== Number.POSITIVE_INFINITY;
  const conditions = isLimited ? [...patterns, json.canonicalContent(min, max)] : patterns;
  const content = conditions.reduce((x, y) => json.pool.both(x, y));
  if (!canEnd(json.pool, content)) throw invalid(path, 'no string fulfils all of its conditions');
  return json.quoted(content);
}

/** Strings in which the pattern finds a match, by default as they are spelled inside quotes. */
export function patternLanguage(
  json: JsonText,
  pattern: unknown,
  path: string,
  spell: SpellCharacters = jsonCharacters,
): Expression {
  if (typeof pattern !== 'string') throw invalid(path, 'expected a string');
  try {
    return regexLanguage(json.pool, pattern, spell);
  } catch (error) {
    if (error instanceof RegexError) throw invalid(path, error.message);
    throw error;
  }
}

/** A format that is not known is the same condition as the pattern beside it, as zod writes both. */
function formatLanguage(json: JsonText, { schema, path }: Located<SchemaObject>): readonly Expression[] {
  const { format, pattern } = schema;
  if (format === undefined) return [];
  if (typeof format !== 'string') throw invalid(`${path}.format`, 'expected a string');
  const known = formats[format];
  if (known !== undefined) return [regexLanguage(json.pool, `^(?:${known})$`, jsonCharacters)];
  if (pattern !== undefined) return [];
  const names = Object.keys(formats).join(', ');
  throw unsupported(`${path}.format`, `"${format.slice(0, 40)}" is not supported (known: ${names})`);
}
