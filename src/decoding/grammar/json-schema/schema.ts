/** JSON Schema as it comes: untrusted data, read keyword by keyword. */

import { TrimtabError } from '../../../core/errors.js';

export type Schema = boolean | SchemaObject;
export type SchemaObject = { readonly [keyword: string]: unknown };

/** A schema and where it stands, as the caller would point to it: `response_format.json_schema.schema.items`. */
export interface Located<T extends Schema = Schema> {
  readonly schema: T;
  readonly path: string;
}

export function invalid(path: string, problem: string): TrimtabError {
  return new TrimtabError('invalid_request', `${path}: ${problem}`, { param: path });
}

/** Well-formed, but beyond what can be enforced; ignoring it would break the promise that answers validate. */
export function unsupported(path: string, problem: string): TrimtabError {
  return new TrimtabError('unsupported_parameter', `${path}: ${problem}`, { param: path });
}

export function isObject(value: unknown): value is SchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Throws unless the value may stand where a schema is expected. */
export function asSchema(value: unknown, path: string): Located {
  if (typeof value === 'boolean' || isObject(value)) return { schema: value, path };
  throw invalid(path, 'expected a schema: an object or a boolean');
}

export function schemaAt({ schema, path }: Located<SchemaObject>, keyword: string): Located | undefined {
  const value = schema[keyword];
  return value === undefined ? undefined : asSchema(value, `${path}.${keyword}`);
}

/** The members of `properties` and the like. */
export function schemasIn(
  { schema, path }: Located<SchemaObject>,
  keyword: string,
): ReadonlyMap<string, Located> {
  const value = schema[keyword] ?? {};
  if (!isObject(value)) throw invalid(`${path}.${keyword}`, 'expected an object of schemas');
  return new Map(
    Object.entries(value).map(([name, item]) => [name, asSchema(item, `${path}.${keyword}.${name}`)]),
  );
}

/** The items of `anyOf` and the like, at least one. */
export function schemaList({ schema, path }: Located<SchemaObject>, keyword: string): readonly Located[] {
  const value = schema[keyword];
  if (!Array.isArray(value) || value.length === 0) {
    throw invalid(`${path}.${keyword}`, 'expected an array of at least one schema');
  }
  return value.map((item, index) => asSchema(item, `${path}.${keyword}[${index}]`));
}

export function countAt({ schema, path }: Located<SchemaObject>, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) {
    return value as number | undefined;
  }
  throw invalid(`${path}.${keyword}`, 'expected an integer of at least 0');
}

export function numberAt({ schema, path }: Located<SchemaObject>, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw invalid(`${path}.${keyword}`, 'expected a number');
}

export function stringsAt({ schema, path }: Located<SchemaObject>, keyword: string): readonly string[] {
  const value = schema[keyword] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw invalid(`${path}.${keyword}`, 'expected an array of strings');
}
