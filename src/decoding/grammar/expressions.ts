/**
 * Languages of byte strings as expressions: immutable, and interned, so that equal ones are the same object.
 * An expression is at once a grammar and a state of its automaton: what may follow after some bytes is again
 * an expression, its derivative (Brzozowski, JACM 11(4), 1964). Rules make it context-free; see `arrows.ts`.
 */

import { type ByteRange, joinRanges } from './ranges.js';

interface Base {
  /** Unique for the life of a pool; orders the options of a choice. */
  readonly id: number;
  /** Filled by `arrows.ts` on first use. */
  arrows?: readonly Arrow[] | undefined;
  nullable?: boolean | undefined;
  alive?: boolean | undefined;
}

export type Expression = Base &
  (
    | { readonly kind: 'nothing' }
    | { readonly kind: 'empty' }
    | { readonly kind: 'bytes'; readonly ranges: readonly ByteRange[] }
    /** `head` is never a concatenation, so that shared beginnings can be found. */
    | { readonly kind: 'concat'; readonly head: Expression; readonly tail: Expression }
    | { readonly kind: 'choice'; readonly options: readonly Expression[] }
    | { readonly kind: 'repeat'; readonly body: Expression; readonly min: number; readonly max: number }
    /** Both must hold. For regular languages only, like `not`. */
    | { readonly kind: 'both'; readonly a: Expression; readonly b: Expression }
    | { readonly kind: 'not'; readonly body: Expression }
    | { readonly kind: 'rule'; readonly name: string; readonly body: () => Expression }
  );

type Kind = Expression['kind'];
type Shape = Expression extends infer E ? (E extends { kind: Kind } ? Omit<E, keyof Base> : never) : never;

/** After a byte of the range, the rest of the text must match `target`. */
export interface Arrow {
  readonly low: number;
  readonly high: number;
  readonly target: Expression;
}

/** The work of one step grew beyond all measure: a hostile grammar, or one that is ambiguous everywhere. */
export class GrammarTooComplex extends Error {}

export class ExpressionPool {
  #interned = new Map<string, Expression>();
  #nextId = 0;
  #budget = Number.POSITIVE_INFINITY;
  readonly nothing = this.#intern('nothing', { kind: 'nothing' });
  readonly empty = this.#intern('empty', { kind: 'empty' });
  /** Every byte string. */
  readonly anything = this.not(this.nothing);

  get size(): number {
    return this.#interned.size;
  }

  /** After so many new expressions (long choices count more), throw `GrammarTooComplex`. */
  allow(count: number): void {
    this.#budget = count;
  }

  /** Counts work that may find nothing new as if it had made so many expressions. */
  spend(count: number): void {
    this.#budget -= count;
    if (this.#budget < 0) throw new GrammarTooComplex('the grammar is too complex');
  }

  /** Drops all that can be found again. Expressions in use stay valid, they are only no longer shared. */
  forget(): void {
    for (const expression of this.#interned.values()) expression.arrows = undefined;
    const { nothing, empty, anything } = this;
    this.#interned = new Map([
      ['nothing', nothing],
      ['empty', empty],
      [`!${nothing.id}`, anything],
    ]);
  }

  /** One byte. */
  bytes(ranges: readonly ByteRange[]): Expression {
    const joined = joinRanges(ranges);
    if (joined.length === 0) return this.nothing;
    return this.#intern(`[${joined.join(';')}`, { kind: 'bytes', ranges: joined });
  }

  /** The UTF-8 bytes of a text. */
  literal(text: string | Uint8Array): Expression {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'utf8') : text;
    let tail = this.empty;
    for (let at = bytes.length - 1; at >= 0; at--)
      tail = this.#pair(this.bytes([[bytes[at]!, bytes[at]!]]), tail);
    return tail;
  }

  concat(...parts: readonly Expression[]): Expression {
    return parts.reduceRight<Expression>((tail, part) => this.#prepend(part, tail), this.empty);
  }

  /** Options that begin alike are joined (`ab|ac` is `a(b|c)`): ambiguity then grows linearly, not in powers. */
  choice(...options: readonly Expression[]): Expression {
    const flat = new Set(options.flatMap((option) => (option.kind === 'choice' ? option.options : [option])));
    flat.delete(this.nothing);
    if (flat.has(this.anything)) return this.anything;
    const joined = this.#joinBytes(this.#joinHeads(flat));
    if (joined.length === 0) return this.nothing;
    if (joined.length === 1) return joined[0]!;
    joined.sort((x, y) => x.id - y.id);
    return this.#intern(`|${joined.map((option) => option.id).join()}`, { kind: 'choice', options: joined });
  }

  optional(body: Expression): Expression {
    return this.choice(this.empty, body);
  }

  /** `max` may be Infinity. */
  repeat(body: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
    if (max === 0 || body === this.empty) return this.empty;
    if (body === this.nothing) return min === 0 ? this.empty : this.nothing;
    if (min === 1 && max === 1) return body;
    return this.#intern(`*${body.id},${min},${max}`, { kind: 'repeat', body, min, max });
  }

  both(x: Expression, y: Expression): Expression {
    if (x === y || y === this.anything) return x;
    if (x === this.anything) return y;
    if (x === this.nothing || y === this.nothing) return this.nothing;
    const [a, b] = x.id < y.id ? [x, y] : [y, x];
    return this.#intern(`&${a.id},${b.id}`, { kind: 'both', a, b });
  }

  /** Every byte string that `body` does not match. */
  not(body: Expression): Expression {
    if (body.kind === 'not') return body.body;
    return this.#intern(`!${body.id}`, { kind: 'not', body });
  }

  /** A name for what `body` gives, which may refer to the rule itself, but not as the first thing in it. */
  rule(name: string, body: () => Expression): Expression {
    return this.#intern(`:${this.#nextId}`, { kind: 'rule', name, body });
  }

  #prepend(part: Expression, tail: Expression): Expression {
    const heads: Expression[] = [];
    let last = part;
    for (; last.kind === 'concat'; last = last.tail) heads.push(last.head);
    return heads.reduceRight((rest, head) => this.#pair(head, rest), this.#pair(last, tail));
  }

  #pair(head: Expression, tail: Expression): Expression {
    if (head === this.nothing || tail === this.nothing) return this.nothing;
    if (head === this.empty) return tail;
    if (tail === this.empty) return head;
    return this.#intern(`.${head.id},${tail.id}`, { kind: 'concat', head, tail });
  }

  #joinHeads(options: ReadonlySet<Expression>): Expression[] {
    const tails = new Map<Expression, Expression[]>();
    for (const option of options) {
      const [head, tail] = option.kind === 'concat' ? [option.head, option.tail] : [option, this.empty];
      const known = tails.get(head);
      if (known === undefined) tails.set(head, [tail]);
      else known.push(tail);
    }
    return [...tails].map(([head, rest]) => {
      if (rest.length === 1) return this.#pair(head, rest[0]!);
      return head === this.empty ? head : this.#pair(head, this.choice(...rest));
    });
  }

  #joinBytes(options: readonly Expression[]): Expression[] {
    const ranges = options.flatMap((option) => (option.kind === 'bytes' ? option.ranges : []));
    const others = options.filter((option) => option.kind !== 'bytes');
    return ranges.length === 0 ? others : [...others, this.bytes(ranges)];
  }

  #intern(key: string, shape: Shape): Expression {
    const known = this.#interned.get(key);
    if (known !== undefined) return known;
    this.spend(shape.kind === 'choice' ? 1 + (shape.options.length >> 3) : 1);
    const expression = { id: this.#nextId++, ...shape } as Expression;
    this.#interned.set(key, expression);
    return expression;
  }
}
