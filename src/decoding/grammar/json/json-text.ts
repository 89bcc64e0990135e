/**
 * JSON as a language of bytes, kept to texts that every parser reads alike: numbers that a double holds, no
 * halves of surrogate pairs, and so little white space that a model cannot get lost in it.
 */

import { jsonCharacters, plainCharacters } from '../characters.js';
import type { Expression, ExpressionPool } from '../expressions.js';
import { complement, type Range } from '../ranges.js';

/** Digits of an integer that a double holds exactly, and of a fraction that adds something. */
export const MAX_DIGITS = 15;
const MAX_INDENT = 20;
const HEX = '0-9a-fA-F';

export class JsonText {
  /** After an opening bracket or a comma, and before a closing bracket. */
  readonly space: Expression;
  readonly digit: Expression;
  readonly integer: Expression;
  readonly number: Expression;
  readonly string: Expression;
  readonly value: Expression;
  readonly object: Expression;
  readonly #character: Expression;
  readonly #colon: Expression;

  constructor(readonly pool: ExpressionPool) {
    const one = (characters: string) => oneOf(pool, characters);
    const newLine = pool.concat(one('\n'), pool.repeat(one(' \t'), 0, MAX_INDENT));
    this.space = pool.choice(pool.empty, one(' '), newLine);
    this.#colon = pool.concat(one(':'), pool.optional(one(' ')));
    this.digit = one('0-9');
    const natural = pool.choice(
      one('0'),
      pool.concat(one('1-9'), pool.repeat(this.digit, 0, MAX_DIGITS - 1)),
    );
    const fraction = pool.concat(one('.'), pool.repeat(this.digit, 1, MAX_DIGITS));
    const exponent = pool.concat(one('eE'), pool.optional(one('+-')), pool.repeat(this.digit, 1, 2));
    const sign = pool.optional(one('-'));
    this.integer = pool.concat(sign, natural);
    this.number = pool.concat(sign, natural, pool.optional(fraction), pool.optional(exponent));
    this.#character = anyCharacter(pool);
    this.string = this.stringOf(0, Number.POSITIVE_INFINITY);
    this.value = pool.rule('value', () => this.#anyValue());
    this.object = pool.rule('object', () => this.map(this.string, this.value));
  }

  /** So many characters, each spelled in any way. */
  stringOf(min: number, max: number): Expression {
    return this.quoted(this.pool.repeat(this.#character, min, max));
  }

  /** Characters as `JSON.stringify` spells them. */
  quoted(content: Expression): Expression {
    const quote = this.pool.literal('"');
    return this.pool.concat(quote, content, quote);
  }

  /** Content of a string of so many characters, each in the spelling of `JSON.stringify`. */
  canonicalContent(min = 0, max = Number.POSITIVE_INFINITY): Expression {
    return this.pool.repeat(jsonCharacters(this.pool, complement([])), min, max);
  }

  literal(value: unknown): Expression {
    return this.pool.literal(JSON.stringify(value));
  }

  member(key: Expression, value: Expression): Expression {
    return this.pool.concat(key, this.#colon, value);
  }

  /** Another item of a list or an object. */
  following(item: Expression): Expression {
    return this.pool.concat(this.pool.literal(','), this.space, item);
  }

  enclosed(open: string, content: Expression, close: string): Expression {
    const { pool, space } = this;
    return pool.concat(pool.literal(open), space, content, space, pool.literal(close));
  }

  /** `item, item, …` so often. */
  list(item: Expression, min: number, max: number): Expression {
    if (max === 0) return this.pool.empty;
    const filled = this.pool.concat(
      item,
      this.pool.repeat(this.following(item), Math.max(0, min - 1), max - 1),
    );
    return min === 0 ? this.pool.optional(filled) : filled;
  }

  array(item: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
    return this.enclosed('[', this.list(item, min, max), ']');
  }

  /** An object whose members are all alike. */
  map(key: Expression, value: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
    return this.enclosed('{', this.list(this.member(key, value), min, max), '}');
  }

  #anyValue(): Expression {
    const { pool } = this;
    const words = ['true', 'false', 'null'].map((word) => pool.literal(word));
    return pool.choice(this.object, this.array(this.value), this.string, this.number, ...words);
  }
}

/** One ASCII character of a list with ranges, like `0-9a-f`; a dash at the end is a dash. */
export function oneOf(pool: ExpressionPool, characters: string): Expression {
  const ranges = [...characters.matchAll(/(.)-(.)|(.)/gsu)].map(([, from, to, single]): Range => {
    const [low, high] = [from ?? single!, to ?? single!];
    return [low.charCodeAt(0), high.charCodeAt(0)];
  });
  return pool.bytes(ranges);
}

/** As itself, by a short escape, or by its code in UTF-16. */
function anyCharacter(pool: ExpressionPool): Expression {
  const hex = oneOf(pool, HEX);
  const unit = (first: string, second: string) =>
    pool.concat(oneOf(pool, first), oneOf(pool, second), hex, hex);
  const escapeUnit = pool.literal('\\u');
  const low = pool.concat(escapeUnit, unit('dD', 'c-fC-F'));
  const code = pool.choice(
    unit('0-9a-cA-Ce-fE-F', HEX),
    unit('dD', '0-7'),
    pool.concat(unit('dD', '8-9a-bA-B'), low),
  );
  return pool.choice(
    plainCharacters(
      pool,
      complement([
        [0, 0x1f],
        [0x22, 0x22],
        [0x5c, 0x5c],
      ]),
    ),
    pool.concat(pool.literal('\\'), oneOf(pool, '"\\/bfnrt')),
    pool.concat(escapeUnit, code),
  );
}
