/** `oneOf` is enforced where its schemas exclude each other, so that a value of one is never of two. */

import { type TypeName, typesOf } from './keywords.js';
import { asSchema, isObject, type Located, type SchemaObject, stringsAt, unsupported } from './schema.js';

type Follow = (schema: Located) => Located;

const MAX_DEPTH = 4;

/**
 * Throws `unsupported_parameter` unless no value that is written for one schema is valid for another. `follow`
 * resolves references.
 */
export function requireDisjoint(options: readonly Located[], path: string, follow: Follow): void {
  for (const [i, a] of options.entries()) {
    for (const [j, b] of options.entries()) {
      if (i === j || excludes(a, b, follow)) continue;
      const problem = `schemas ${i} and ${j} may both be valid for one value`;
      throw unsupported(path, `${problem}; use anyOf, or a property that tells them apart`);
    }
  }
}

/** True if no value that is written for `first` is valid for `second`. */
function excludes(first: Located, second: Located, follow: Follow, depth = 0): boolean {
  const [a, b] = [follow(first), follow(second)];
  if (b.schema === false) return true;
  if (!isObject(a.schema) || !isObject(b.schema) || depth > MAX_DEPTH) return false;
  const pair: Pair = { a: { ...a, schema: a.schema }, b: { ...b, schema: b.schema } };
  return typesDiffer(pair) || valuesDiffer(pair) || membersDiffer(pair, follow, depth);
}

interface Pair {
  readonly a: Located<SchemaObject>;
  readonly b: Located<SchemaObject>;
}

function typesDiffer({ a, b }: Pair): boolean {
  const [ours, theirs] = [possibleTypes(a), possibleTypes(b)];
  if (ours === undefined || theirs === undefined) return false;
  return !ours.some((type) => theirs.includes(type));
}

/** Integers are numbers. */
function possibleTypes(located: Located<SchemaObject>): readonly TypeName[] | undefined {
  const types = valuesOf(located.schema)?.map(typeOf) ?? typesOf(located);
  return types?.map((type) => (type === 'integer' ? 'number' : type));
}

function valuesDiffer({ a, b }: Pair): boolean {
  const [ours, theirs] = [valuesOf(a.schema), valuesOf(b.schema)];
  if (ours === undefined || theirs === undefined) return false;
  const texts = new Set(theirs.map((value) => JSON.stringify(value)));
  return !ours.some((value) => texts.has(JSON.stringify(value)));
}

/** One requires a member that the other never has, or both have one whose values differ. */
function membersDiffer({ a, b }: Pair, follow: Follow, depth: number): boolean {
  if (possibleTypes(a)?.join() !== 'object') return false;
  const [ours, theirs] = [a, b].map(({ schema }) =>
    isObject(schema.properties) ? schema.properties : {},
  ) as [SchemaObject, SchemaObject];
  const { additionalProperties = false, patternProperties } = a.schema;
  const writesOthers = additionalProperties !== false || patternProperties !== undefined;
  if (!writesOthers && stringsAt(b, 'required').some((name) => !Object.hasOwn(ours, name))) return true;
  return stringsAt(a, 'required').some((name) => {
    if (!Object.hasOwn(ours, name)) return false;
    if (!Object.hasOwn(theirs, name)) return isClosed(b.schema);
    return excludes(asSchema(ours[name], a.path), asSchema(theirs[name], b.path), follow, depth + 1);
  });
}

function isClosed(schema: SchemaObject): boolean {
  return schema.additionalProperties === false && schema.patternProperties === undefined;
}

function typeOf(value: unknown): TypeName {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as 'object' | 'string' | 'boolean' | 'number';
}

function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  return Array.isArray(schema.enum) ? schema.enum : undefined;
}
