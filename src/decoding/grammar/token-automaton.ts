/**
 * A grammar over the tokens of one vocabulary. A state is an expression, so it can be kept, compared and gone
 * back to; what tokens it allows is found by walking the vocabulary's prefix tree through the grammar, once.
 */

import { TrimtabError } from '../../core/errors.js';
import { after, arrowsOf, nullable } from './arrows.js';
import { type Expression, type ExpressionPool, GrammarTooComplex } from './expressions.js';
import type { Vocabulary } from './vocabulary.js';

/** New expressions in one step; enough for any sensible grammar, and about a second at worst. */
const MAX_STEP_EXPRESSIONS = 50_000;
/** Beyond this many, what is not in use is forgotten. */
const MAX_KEPT_EXPRESSIONS = 200_000;
/** With its share of the tables that find it; measured. */
const BYTES_PER_EXPRESSION = 400;
const MAX_MASK_BYTES = 16 * 2 ** 20;

export class TokenAutomaton {
  readonly start: Expression;
  /** States by depth in the tree; reused from walk to walk. */
  readonly #path: Expression[];
  readonly #masks = new Map<Expression, Uint32Array>();

  /** `field` is the part of the request that the grammar came from, for errors. */
  constructor(
    private readonly pool: ExpressionPool,
    private readonly vocabulary: Vocabulary,
    grammar: Expression,
    readonly field: string,
  ) {
    this.start = grammar;
    this.#path = [grammar];
  }

  /** Memory, roughly. */
  get bytes(): number {
    return this.pool.size * BYTES_PER_EXPRESSION + this.#masks.size * Math.ceil(this.vocabulary.size / 8);
  }

  /** The tokens that may follow, see `TokenConstraint.allowed`. */
  allowed(state: Expression): Uint32Array {
    const alike = withoutFarLimits(this.pool, state, this.vocabulary.longestToken);
    const known = this.#masks.get(alike);
    if (known !== undefined) return known;
    const mask = this.#bounded(() => this.#walk(alike));
    if ((this.#masks.size + 1) * mask.byteLength > MAX_MASK_BYTES) this.#masks.clear();
    this.#masks.set(alike, mask);
    return mask;
  }

  /** The state after a token; undefined if it is not allowed. End tokens change nothing. */
  next(state: Expression, tokenId: number): Expression | undefined {
    if (this.vocabulary.eosTokenIds.includes(tokenId)) return nullable(state) ? state : undefined;
    const bytes = this.vocabulary.bytes(tokenId);
    return bytes.length === 0 ? undefined : this.after(state, bytes);
  }

  /** The state after some text; undefined if it does not fit. */
  after(state: Expression, bytes: Uint8Array): Expression | undefined {
    const end = this.#bounded(() => {
      let at = state;
      for (const byte of bytes) at = after(this.pool, at, byte);
      return at;
    });
    return end === this.pool.nothing ? undefined : end;
  }

  /** True if the text is over: it may end, and nothing may follow. */
  isComplete(state: Expression): boolean {
    return nullable(state) && this.#bounded(() => arrowsOf(this.pool, state).length === 0);
  }

  #walk(start: Expression): Uint32Array {
    const { byte, depth, skip, firstToken, nodes } = this.vocabulary;
    const mask = new Uint32Array(Math.ceil(this.vocabulary.size / 32));
    const path = this.#path;
    path[0] = start;
    for (let node = 0; node < nodes; ) {
      const state = after(this.pool, path[depth[node]! - 1]!, byte[node]!);
      if (state === this.pool.nothing) {
        node = skip[node]!;
        continue;
      }
      path[depth[node]!] = state;
      for (let at = firstToken[node]!; at < firstToken[node + 1]!; at++) this.#allow(mask, at);
      node++;
    }
    if (nullable(start)) for (const id of this.vocabulary.eosTokenIds) mask[id >>> 5]! |= 1 << (id & 31);
    return this.#requireAny(mask);
  }

  #allow(mask: Uint32Array, at: number): void {
    const id = this.vocabulary.tokens[at]!;
    mask[id >>> 5]! |= 1 << (id & 31);
  }

  #requireAny(mask: Uint32Array): Uint32Array {
    if (mask.some((bits) => bits !== 0)) return mask;
    throw new TrimtabError(
      'unsupported_parameter',
      `${this.field}: the tokens of this model cannot spell it`,
      {
        param: this.field,
      },
    );
  }

  /** Keeps hostile grammars from taking the thread or the memory for themselves. */
  #bounded<T>(work: () => T): T {
    if (this.pool.size > MAX_KEPT_EXPRESSIONS) {
      this.pool.forget();
      this.#masks.clear();
    }
    this.pool.allow(MAX_STEP_EXPRESSIONS);
    try {
      return work();
    } catch (error) {
      throw tooComplex(error, this.field);
    }
  }
}

/**
 * A state that allows the same tokens: limits of repetition that no token is long enough to reach are taken
 * away, so that a long string has one mask and not one for each of its lengths.
 */
function withoutFarLimits(pool: ExpressionPool, state: Expression, longestToken: number): Expression {
  switch (state.kind) {
    case 'concat':
      return pool.concat(withoutFarLimits(pool, state.head, longestToken), state.tail);
    case 'choice':
      return pool.choice(...state.options.map((option) => withoutFarLimits(pool, option, longestToken)));
    case 'repeat': {
      const max = state.max > longestToken ? Number.POSITIVE_INFINITY : state.max;
      return pool.repeat(state.body, Math.min(state.min, longestToken + 1), max);
    }
    default:
      return state;
  }
}

/** Turns what a grammar beyond all bounds does to the machine into an error about the field that holds it. */
export function tooComplex(error: unknown, field: string): unknown {
  if (!(error instanceof GrammarTooComplex) && !(error instanceof RangeError)) return error;
  return new TrimtabError('invalid_request', `${field}: it is too complex to be enforced`, {
    param: field,
    cause: error,
  });
}
