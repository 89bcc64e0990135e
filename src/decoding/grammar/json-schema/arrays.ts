import type { Expression } from '../expressions.js';
import type { JsonText } from '../json/json-text.js';
import {
  countAt,
  invalid,
  type Located,
  type SchemaObject,
  schemaAt,
  schemaList,
  unsupported,
} from './schema.js';

/**
 * First the items of `prefixItems`, then more of `items`. Where a tuple says nothing of further items there are
 * none.
 */
export function arrayLanguage(
  json: JsonText,
  located: Located<SchemaObject>,
  compile: (item: Located) => Expression,
): Expression {
  const { schema, path } = located;
  const [min = 0, max = Number.POSITIVE_INFINITY] = [
    countAt(located, 'minItems'),
    countAt(located, 'maxItems'),
  ];
  if (min > max) throw invalid(`${path}.minItems`, `is more than maxItems, ${max}`);
  refuseUnique(located, max);
  if (Array.isArray(schema.items))
    throw unsupported(`${path}.items`, 'an array of schemas is now prefixItems');
  const prefix = schema.prefixItems === undefined ? [] : schemaList(located, 'prefixItems').slice(0, max);
  const rest = schemaAt(located, 'items') ?? { schema: prefix.length === 0, path };
  const limit = rest.schema === false ? Math.min(max, prefix.length) : max;
  if (min > limit)
    throw invalid(`${path}.minItems`, `no array has so many items, only ${limit} are described`);
  const item = rest.schema === false || limit === prefix.length ? json.pool.nothing : compile(rest);
  if (prefix.length === 0) return json.array(item, min, limit);
  return json.enclosed('[', tuple(json, prefix.map(compile), { item, min, max: limit }), ']');
}

interface Rest {
  readonly item: Expression;
  readonly min: number;
  readonly max: number;
}

function tuple(json: JsonText, prefix: readonly Expression[], { item, min, max }: Rest): Expression {
  const { pool } = json;
  const count = prefix.length;
  const more = pool.repeat(json.following(item), Math.max(0, min - count), max - count);
  return prefix.reduceRight<Expression>((following, element, index) => {
    const here = pool.concat(index === 0 ? element : json.following(element), following);
    return index < min ? here : pool.optional(here);
  }, more);
}

function refuseUnique({ schema, path }: Located<SchemaObject>, max: number): void {
  if (schema.uniqueItems === undefined || schema.uniqueItems === false || max <= 1) return;
  throw unsupported(`${path}.uniqueItems`, 'it cannot be enforced while the array is written');
}
