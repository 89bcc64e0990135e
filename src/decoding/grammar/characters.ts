/** Sets of characters as expressions over their UTF-8 bytes, plain or as they are spelled inside a JSON string. */

import type { Expression, ExpressionPool } from './expressions.js';
import { type Range, subtractRanges, surrogates } from './ranges.js';

/** How a set of code points is written down. */
export type SpellCharacters = (pool: ExpressionPool, codePoints: readonly Range[]) => Expression;

/** Code points at which the number of bytes changes. */
const LENGTH_LIMITS = [0x7f, 0x7ff, 0xffff, 0x10ffff];
const CONTINUATION: Range = [0x80, 0xbf];

/** One character of the set, in UTF-8. */
export const plainCharacters: SpellCharacters = (pool, codePoints) =>
  pool.choice(...subtractRanges(codePoints, [surrogates]).flatMap((range) => sequencesOf(pool, range)));

/**
 * One character of the set inside a JSON string, always in the one spelling that `JSON.stringify` gives it:
 * quote, backslash and control characters escaped, all others as they are.
 */
export const jsonCharacters: SpellCharacters = (pool, codePoints) => {
  const escaped = [...escapedCodePoints].filter((code) => contains(codePoints, code));
  const plain = subtractRanges(
    codePoints,
    escaped.map((code) => [code, code]),
  );
  const spelled = escaped.map((code) =>
    pool.literal(JSON.stringify(String.fromCodePoint(code)).slice(1, -1)),
  );
  return pool.choice(plainCharacters(pool, plain), ...spelled);
};

const escapedCodePoints = [...Array(0x20).keys(), 0x22, 0x5c];

function contains(ranges: readonly Range[], code: number): boolean {
  return ranges.some(([low, high]) => low <= code && code <= high);
}

/** Splits where the number of bytes changes. */
function sequencesOf(pool: ExpressionPool, [low, high]: Range): Expression[] {
  return LENGTH_LIMITS.flatMap((limit, index) => {
    const from = Math.max(low, index === 0 ? 0 : LENGTH_LIMITS[index - 1]! + 1);
    const to = Math.min(high, limit);
    return from <= to ? [between(pool, utf8(from), utf8(to))] : [];
  });
}

/**
 * All sequences from `low` to `high`, which are equally long: those that share the first byte of `low`, whole
 * leads between, those that share the first byte of `high`.
 */
function between(pool: ExpressionPool, low: readonly number[], high: readonly number[]): Expression {
  const [first, ...lowRest] = low as [number, ...number[]];
  const [last, ...highRest] = high as [number, ...number[]];
  if (lowRest.length === 0) return pool.bytes([[first, last]]);
  const any = lowRest.map(() => pool.bytes([CONTINUATION]));
  const lead = (from: number, to: number, rest: Expression) => pool.concat(pool.bytes([[from, to]]), rest);
  if (first === last) return lead(first, last, between(pool, lowRest, highRest));
  const wholeFrom = lowRest.every((byte) => byte === CONTINUATION[0]) ? first : first + 1;
  const wholeTo = highRest.every((byte) => byte === CONTINUATION[1]) ? last : last - 1;
  const ends = lowRest.map(() => CONTINUATION[1]);
  const starts = lowRest.map(() => CONTINUATION[0]);
  return pool.choice(
    ...(wholeFrom > first ? [lead(first, first, between(pool, lowRest, ends))] : []),
    ...(wholeFrom <= wholeTo ? [lead(wholeFrom, wholeTo, pool.concat(...any))] : []),
    ...(wholeTo < last ? [lead(last, last, between(pool, starts, highRest))] : []),
  );
}

function utf8(codePoint: number): readonly number[] {
  return [...Buffer.from(String.fromCodePoint(codePoint), 'utf8')];
}
