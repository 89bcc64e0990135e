import type { Expression } from '../expressions.js';
import type { JsonText } from '../json/json-text.js';
import { type Bound, numberBetween } from '../json/number-range.js';
import { invalid, type Located, numberAt, type SchemaObject, unsupported } from './schema.js';

/** OpenAPI's widths of numbers, which every number here has. */
const widths: ReadonlySet<unknown> = new Set([undefined, 'int32', 'int64', 'float', 'double']);
const MAX_INT32 = 2 ** 31 - 1;

export function numberLanguage(json: JsonText, located: Located<SchemaObject>, integer: boolean): Expression {
  const { schema, path } = located;
  const isWhole = readMultipleOf(located, integer);
  if (!widths.has(schema.format))
    throw unsupported(`${path}.format`, 'this format is not supported for numbers');
  const lower = tighter(bound(located, 'minimum', true), bound(located, 'exclusiveMinimum', false), 1);
  const upper = tighter(bound(located, 'maximum', true), bound(located, 'exclusiveMaximum', false), -1);
  const range = schema.format === 'int32' ? within32Bits(lower, upper) : { lower, upper };
  if (range.lower === undefined && range.upper === undefined) return isWhole ? json.integer : json.number;
  const language = numberBetween(json, range, isWhole);
  if (language === json.pool.nothing) throw invalid(path, 'no number lies between minimum and maximum');
  return language;
}

function within32Bits(lower: Bound | undefined, upper: Bound | undefined) {
  return {
    lower: tighter(lower, { value: -MAX_INT32 - 1, inclusive: true }, 1),
    upper: tighter(upper, { value: MAX_INT32, inclusive: true }, -1),
  };
}

function readMultipleOf(located: Located<SchemaObject>, integer: boolean): boolean {
  const step = numberAt(located, 'multipleOf');
  if (step === undefined || (step === 1 && integer)) return integer;
  if (step === 1) return true;
  throw unsupported(`${located.path}.multipleOf`, 'only 1 is supported');
}

function bound(located: Located<SchemaObject>, keyword: string, inclusive: boolean): Bound | undefined {
  const value = numberAt(located, keyword);
  return value === undefined ? undefined : { value, inclusive };
}

/** `direction` is 1 where the larger bound is the tighter one. */
function tighter(a: Bound | undefined, b: Bound | undefined, direction: 1 | -1): Bound | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.value === b.value) return { value: a.value, inclusive: a.inclusive && b.inclusive };
  return (a.value - b.value) * direction > 0 ? a : b;
}
