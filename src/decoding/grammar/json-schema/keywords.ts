/** What each keyword is for. One that is not listed here is refused, since ignoring it could break a promise. */

import { invalid, isObject, type Located, type SchemaObject, unsupported } from './schema.js';

export type TypeName = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';

const typeNames: ReadonlySet<string> = new Set<TypeName>([
  'object',
  'array',
  'string',
  'number',
  'integer',
  'boolean',
  'null',
]);

/** They say something about a value without limiting it. */
const annotations: ReadonlySet<string> = new Set([
  ...['$schema', '$id', '$comment', '$defs', 'definitions', 'title', 'description', 'default', 'example'],
  ...['examples', 'deprecated', 'readOnly', 'writeOnly', 'discriminator', '~standard'],
  ...['contentEncoding', 'contentMediaType', 'contentSchema', 'enumDescriptions', 'propertyOrdering'],
]);

const byType: Readonly<Record<TypeName, readonly string[]>> = {
  object: [
    ...['properties', 'required', 'additionalProperties', 'patternProperties', 'propertyNames'],
    ...['minProperties', 'maxProperties'],
  ],
  array: ['items', 'prefixItems', 'minItems', 'maxItems', 'uniqueItems'],
  string: ['minLength', 'maxLength', 'pattern', 'format'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'format'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf', 'format'],
  boolean: [],
  null: [],
};

/** Keywords that stand for a schema of their own, alone or together with others. */
export const combinators = ['$ref', 'anyOf', 'oneOf', 'allOf'] as const;
export const valueKeywords = ['enum', 'const'] as const;

const known: ReadonlySet<string> = new Set([
  'type',
  ...combinators,
  ...valueKeywords,
  ...Object.values(byType).flat(),
]);

export function isAnnotation(keyword: string): boolean {
  return annotations.has(keyword) || keyword.startsWith('x-');
}

/** The keywords of a schema that limit its values. Throws for any that is not known. */
export function assertions({ schema, path }: Located<SchemaObject>): readonly string[] {
  const keywords = Object.keys(schema).filter((keyword) => schema[keyword] !== undefined);
  return keywords.filter((keyword) => {
    if (isAnnotation(keyword)) return false;
    if (known.has(keyword)) return true;
    throw unsupported(`${path}.${keyword}`, 'this keyword is not supported');
  });
}

/**
 * The types that the schema allows. Without `type`, those that its keywords are about: they would let values
 * of any other type pass, but who writes `properties` wants an object. Undefined means any value.
 */
export function typesOf(located: Located<SchemaObject>): readonly TypeName[] | undefined {
  const { schema, path } = located;
  if (schema.type !== undefined) return readTypes(schema.type, `${path}.type`);
  const used = assertions(located);
  const types = (['object', 'array', 'string', 'number'] as const).filter((type) =>
    byType[type].some((keyword) => keyword !== 'format' && used.includes(keyword)),
  );
  if (types.length > 0) return types;
  return schema.format === undefined ? undefined : ['string'];
}

function readTypes(value: unknown, path: string): readonly TypeName[] {
  const names: readonly unknown[] = Array.isArray(value) ? value : [value];
  const wrong = names.find((name) => typeof name !== 'string' || !typeNames.has(name));
  if (names.length > 0 && wrong === undefined) return names as readonly TypeName[];
  const shown = isObject(wrong) ? 'an object' : JSON.stringify(wrong ?? value)?.slice(0, 40);
  throw invalid(path, `expected one of ${[...typeNames].join(', ')}, or an array of them, received ${shown}`);
}
