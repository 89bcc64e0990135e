/** One schema that demands what two demand, for `allOf` and for keywords beside `$ref` and `anyOf`. */

import { isAnnotation } from './keywords.js';
import { asSchema, isObject, type Located, type SchemaObject, unsupported } from './schema.js';

type Combine = (a: unknown, b: unknown, path: string) => unknown;

const larger: Combine = (a, b) => Math.max(a as number, b as number);
const smaller: Combine = (a, b) => Math.min(a as number, b as number);
const bothSchemas: Combine = (a, b, path) => mergeSchemas(asSchema(a, path), asSchema(b, path)).schema;
const appended: Combine = (a, b) => [a, b].flat();

const combinations: Readonly<Record<string, Combine>> = {
  type: (a, b, path) => {
    const types = [a].flat().filter((type) => [b].flat().some((other) => sharesType(type, other)));
    if (types.length === 0) throw unsupported(path, 'the schemas allow no type in common');
    return types.map((type) => ([b].flat().includes(type) ? type : 'integer'));
  },
  enum: (a, b, path) => {
    const texts = new Set([b].flat().map((value) => JSON.stringify(value)));
    const values = [a].flat().filter((value) => texts.has(JSON.stringify(value)));
    if (values.length === 0) throw unsupported(path, 'the schemas allow no value in common');
    return values;
  },
  properties: (a, b, path) => mergeMembers(a as SchemaObject, b as SchemaObject, path),
  patternProperties: (a, b, path) => mergeMembers(a as SchemaObject, b as SchemaObject, path),
  required: (a, b) => [...new Set([a, b].flat())],
  additionalProperties: bothSchemas,
  propertyNames: bothSchemas,
  items: bothSchemas,
  uniqueItems: (a, b) => a === true || b === true,
  allOf: appended,
  minimum: larger,
  exclusiveMinimum: larger,
  minLength: larger,
  minItems: larger,
  minProperties: larger,
  maximum: smaller,
  exclusiveMaximum: smaller,
  maxLength: smaller,
  maxItems: smaller,
  maxProperties: smaller,
};

/** Throws `unsupported_parameter` for keywords that cannot be combined, naming them. */
export function mergeSchemas(a: Located, b: Located): Located {
  const { path } = a;
  if (!isObject(a.schema)) return a.schema ? { ...b, path } : a;
  if (!isObject(b.schema)) return b.schema ? a : { schema: false, path };
  requireSameMembers(a.schema, b.schema, path);
  const merged: Record<string, unknown> = { ...a.schema };
  for (const [keyword, value] of Object.entries(b.schema)) {
    if (value === undefined || isAnnotation(keyword)) continue;
    const known = merged[keyword];
    merged[keyword] = known === undefined ? value : combine(keyword, known, value, `${path}.${keyword}`);
  }
  return { schema: merged, path };
}

function combine(keyword: string, a: unknown, b: unknown, path: string): unknown {
  if (JSON.stringify(a) === JSON.stringify(b)) return a;
  const rule = Object.hasOwn(combinations, keyword) ? combinations[keyword] : undefined;
  if (rule === undefined) throw unsupported(path, 'it is given twice, and the two cannot be combined');
  return rule(a, b, path);
}

function sharesType(a: unknown, b: unknown): boolean {
  return a === b || (a === 'number' && b === 'integer') || (a === 'integer' && b === 'number');
}

function mergeMembers(a: SchemaObject, b: SchemaObject, path: string): SchemaObject {
  const merged: Record<string, unknown> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    merged[name] = Object.hasOwn(a, name) ? bothSchemas(a[name], value, `${path}.${name}`) : value;
  }
  return merged;
}

/** Where one side is closed, members that only the other side lists are not allowed at all. */
function requireSameMembers(a: SchemaObject, b: SchemaObject, path: string): void {
  for (const [closed, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const { additionalProperties } = closed;
    if (additionalProperties === undefined || additionalProperties === true || !isObject(other.properties))
      continue;
    const listed = isObject(closed.properties) ? closed.properties : {};
    const missing = Object.keys(other.properties).find((name) => !Object.hasOwn(listed, name));
    if (missing === undefined) continue;
    throw unsupported(
      `${path}.additionalProperties`,
      `it also speaks of "${missing.slice(0, 40)}", which the other schema lists`,
    );
  }
}
