/** Numbers between two bounds as decimal texts: a text is on the edge of a bound while its digits are the bound's. */

import type { Expression } from '../expressions.js';
import { type JsonText, MAX_DIGITS, oneOf } from './json-text.js';

export interface Bound {
  readonly value: number;
  readonly inclusive: boolean;
}

export interface NumberRange {
  readonly lower: Bound | undefined;
  readonly upper: Bound | undefined;
}

/** A positive decimal without exponent. */
interface Decimal {
  readonly whole: string;
  readonly fraction: string;
  readonly inclusive: boolean;
}

/** On the edge of the lower bound, of the upper one, of both or of none. */
interface Edge {
  readonly low: Decimal | undefined;
  readonly high: Decimal | undefined;
}

/** `integer` leaves out fractions. `pool.nothing` if no number of at most 15 digits fits. */
export function numberBetween(json: JsonText, { lower, upper }: NumberRange, integer: boolean): Expression {
  const { pool } = json;
  const magnitudes = new Magnitudes(json, integer);
  const positive = magnitudes.between(isNegative(lower) ? undefined : lower, upper);
  const aboveZero = { value: 0, inclusive: false };
  const negative =
    lower !== undefined && lower.value >= 0
      ? pool.nothing
      : magnitudes.between(isNegative(upper) ? negated(upper) : aboveZero, lower && negated(lower));
  return pool.choice(positive, pool.concat(pool.literal('-'), negative));
}

function isNegative(bound: Bound | undefined): bound is Bound {
  return bound !== undefined && bound.value < 0;
}

function negated({ value, inclusive }: Bound): Bound {
  return { value: -value, inclusive };
}

/** Numbers of at least 0, compared with their bounds digit by digit from the left. */
class Magnitudes {
  constructor(
    private readonly json: JsonText,
    private readonly integer: boolean,
  ) {}

  between(lower: Bound | undefined, upper: Bound | undefined): Expression {
    const { pool } = this.json;
    if (upper !== undefined && upper.value < 0) return pool.nothing;
    const low = decimal(lower ?? { value: 0, inclusive: true });
    const high = upper === undefined || upper.value >= 10 ** MAX_DIGITS ? undefined : decimal(upper);
    const longest = high?.whole.length ?? MAX_DIGITS;
    const options: Expression[] = [];
    for (let length = low.whole.length; length <= Math.min(longest, MAX_DIGITS); length++) {
      const isShortest = length === low.whole.length;
      const edge = { low: isShortest ? low : undefined, high: length === longest ? high : undefined };
      options.push(this.#whole(length, 0, edge));
    }
    return pool.choice(...options);
  }

  /** The digits from `at` on of a whole part of `length` digits, and what follows it. */
  #whole(length: number, at: number, edge: Edge): Expression {
    if (at === length) return this.integer ? this.#endOfInteger(edge) : this.#fraction(0, length, edge);
    const least = at === 0 && length > 1 ? 1 : 0;
    const digits = { low: digitOf(edge.low?.whole, at, least), high: digitOf(edge.high?.whole, at, 9) };
    return this.#digit(digits, edge, (next) => this.#whole(length, at + 1, next));
  }

  /** On the edge, an integer must not stand where only the fraction of the bound decides. */
  #endOfInteger({ low, high }: Edge): Expression {
    const { pool } = this.json;
    const tooLow = low !== undefined && (low.fraction !== '' || !low.inclusive);
    const tooHigh = high !== undefined && high.fraction === '' && !high.inclusive;
    return tooLow || tooHigh ? pool.nothing : pool.empty;
  }

  /** Whole part and fraction have 15 digits together, so that no rounding carries a number over its bound. */
  #fraction(at: number, wholeLength: number, edge: Edge): Expression {
    const { pool, digit } = this.json;
    const left = MAX_DIGITS - wholeLength - at;
    const point = at === 0 ? pool.literal('.') : pool.empty;
    const end = mayEnd(at, edge) ? pool.empty : pool.nothing;
    if (left <= 0) return end;
    if (edge.low === undefined && edge.high === undefined) {
      return pool.optional(pool.concat(point, pool.repeat(digit, 1, left)));
    }
    const digits = {
      low: digitOf(edge.low?.fraction, at, 0),
      high: edge.high === undefined ? 9 : digitOf(edge.high.fraction, at, 0),
    };
    const more = this.#digit(digits, edge, (next) => this.#fraction(at + 1, wholeLength, next));
    return pool.choice(end, pool.concat(point, more));
  }

  /** The text stays on an edge only with the digit of that bound; all digits between lead away from both. */
  #digit(
    digits: { readonly low: number; readonly high: number },
    { low, high }: Edge,
    rest: (next: Edge) => Expression,
  ): Expression {
    const { pool } = this.json;
    const one = (from: number, to: number, next: Edge) =>
      from > to ? pool.nothing : pool.concat(oneOf(pool, `${from}-${to}`), rest(next));
    if (low !== undefined && high !== undefined && digits.low === digits.high) {
      return one(digits.low, digits.low, { low, high });
    }
    if (digits.low > digits.high) return pool.nothing;
    const free = { low: undefined, high: undefined };
    const from = low === undefined ? digits.low : digits.low + 1;
    const to = high === undefined ? digits.high : digits.high - 1;
    return pool.choice(
      low === undefined ? pool.nothing : one(digits.low, digits.low, { low, high: undefined }),
      one(from, to, free),
      high === undefined ? pool.nothing : one(digits.high, digits.high, { low: undefined, high }),
    );
  }
}

function mayEnd(at: number, { low, high }: Edge): boolean {
  const reachesLow = low === undefined || (low.fraction.length <= at && low.inclusive);
  const belowHigh = high === undefined || high.fraction.length > at || high.inclusive;
  return reachesLow && belowHigh;
}

function digitOf(digits: string | undefined, at: number, otherwise: number): number {
  return Number(digits?.[at] ?? otherwise);
}

/** Without an exponent and without zeros at the end. */
function decimal({ value, inclusive }: Bound): Decimal {
  const text = String(value).includes('e') ? value.toFixed(20) : String(value);
  const [whole = '0', fraction = ''] = text.split('.');
  return { whole, fraction: fraction.replace(/0+$/, ''), inclusive };
}
