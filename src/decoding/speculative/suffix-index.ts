/**
 * Tokens that were seen, found again by how a text ends: chains of earlier places with the same last four or two
 * tokens. A ring: the oldest tokens are overwritten, and links to them are recognised as stale, so that eviction
 * needs no bookkeeping.
 *
 *   tokens  … the cat sat on the cat …        head4[hash of "on the cat"…] ─► newest place
 *   prev4         ◄──────────────┘            prev4[place] ─► the place before it with the same hash
 */

import type { TokenPath } from './token-path.js';

/** A place whose preceding tokens agree with the end of a path. */
export interface SuffixMatch {
  /** Place of the token that followed. */
  readonly next: number;
  /** Tokens that agree, at most `MAX_MATCH`. */
  readonly length: number;
}

export const MAX_MATCH = 64;
const MAX_LINKS = 16;
const SMALLEST = 256;
const NO_MATCH: readonly SuffixMatch[] = [];

export class SuffixIndex {
  readonly #limit: number;
  #capacity = SMALLEST;
  #tokens = new Int32Array(SMALLEST);
  #four = new GramChains(4, SMALLEST);
  #two = new GramChains(2, SMALLEST);
  /** Tokens ever appended; places count up for ever and live in the ring at `place % capacity`. */
  #total = 0;

  /** Holds the last `limit` tokens. */
  constructor(limit: number) {
    this.#limit = Math.max(SMALLEST, limit);
  }

  get size(): number {
    return Math.min(this.#total, this.#capacity);
  }

  get bytes(): number {
    return this.#tokens.byteLength + this.#four.bytes + this.#two.bytes;
  }

  /** The tokens from number `from` on. */
  append(tokens: readonly number[], from = 0): void {
    for (let i = from; i < tokens.length; i++) {
      if (this.#total === this.#capacity && this.#capacity < this.#limit) this.#grow();
      this.#tokens[this.#total % this.#capacity] = tokens[i]!;
      this.#total++;
      this.#link(this.#total - 1);
    }
  }

  /** The token at a place, −1 where there is none (any more). */
  at(place: number): number {
    if (place >= this.#total || place < this.#total - this.#capacity || place < 0) return -1;
    return this.#tokens[place % this.#capacity]!;
  }

  /** The longest match, and the longest that goes on with another token; at least two tokens agree. */
  find(path: TokenPath): readonly SuffixMatch[] {
    const byFour = this.#search(this.#four, path);
    return byFour.length > 0 ? byFour : this.#search(this.#two, path);
  }

  /** All tokens, oldest first. */
  contents(): Int32Array {
    return Int32Array.from({ length: this.size }, (_, i) => this.at(this.#total - this.size + i));
  }

  #search(chains: GramChains, path: TokenPath): readonly SuffixMatch[] {
    const { order } = chains;
    const oldest = this.#total - this.size;
    let best = -1;
    let bestLength = 0;
    let other = -1;
    let otherLength = 0;
    let place = chains.newest(endHash(path, order));
    for (let links = 0; links < MAX_LINKS && place >= oldest; links++) {
      const next = this.at(place + 1);
      const length = next < 0 ? 0 : this.#agreement(place, path);
      if (length >= order && (best < 0 || length > bestLength)) {
        if (best >= 0 && this.at(best) !== next) {
          other = best;
          otherLength = bestLength;
        }
        best = place + 1;
        bestLength = length;
      } else if (length >= order && length > otherLength && next !== this.at(best)) {
        other = place + 1;
        otherLength = length;
      }
      const earlier = chains.before(place % this.#capacity);
      if (earlier >= place) break;
      place = earlier;
    }
    if (best < 0) return NO_MATCH;
    const first = { next: best, length: bestLength };
    return other < 0 ? [first] : [first, { next: other, length: otherLength }];
  }

  /** Tokens up to and including `place` that agree with the end of the path. */
  #agreement(place: number, path: TokenPath): number {
    const most = Math.min(MAX_MATCH, path.length);
    let length = 0;
    while (length < most && this.at(place - length) === path.fromEnd(length)) length++;
    return length;
  }

  #link(place: number): void {
    if (this.#total >= 4) this.#four.add(this.#hashAt(place, 4), place, this.#capacity);
    if (this.#total >= 2) this.#two.add(this.#hashAt(place, 2), place, this.#capacity);
  }

  /** Of the `order` tokens up to and including `place`. */
  #hashAt(place: number, order: number): number {
    let hash = order;
    for (let distance = 0; distance < order; distance++) hash = mixed(hash, this.at(place - distance));
    return hash;
  }

  /** Only before the ring has turned, so that places stay where they are. */
  #grow(): void {
    const tokens = this.#tokens;
    this.#capacity = Math.min(this.#limit, 4 * this.#capacity);
    this.#tokens = new Int32Array(this.#capacity);
    this.#four = new GramChains(4, this.#capacity);
    this.#two = new GramChains(2, this.#capacity);
    this.#total = 0;
    for (const token of tokens) {
      this.#tokens[this.#total++] = token;
      this.#link(this.#total - 1);
    }
  }
}

/** Newest place per hash and, per place, the one before it. */
class GramChains {
  readonly #head: Int32Array;
  readonly #prev: Int32Array;
  readonly #mask: number;

  constructor(
    readonly order: number,
    capacity: number,
  ) {
    const buckets = 2 ** Math.ceil(Math.log2(capacity));
    this.#head = new Int32Array(buckets).fill(-1);
    this.#prev = new Int32Array(capacity).fill(-1);
    this.#mask = buckets - 1;
  }

  get bytes(): number {
    return this.#head.byteLength + this.#prev.byteLength;
  }

  add(hash: number, place: number, capacity: number): void {
    const bucket = hash & this.#mask;
    this.#prev[place % capacity] = this.#head[bucket]!;
    this.#head[bucket] = place;
  }

  newest(hash: number): number {
    return this.#head[hash & this.#mask]!;
  }

  before(slot: number): number {
    return this.#prev[slot]!;
  }
}

/** Of the last `order` tokens of a path. */
function endHash(path: TokenPath, order: number): number {
  let hash = order;
  for (let distance = 0; distance < order; distance++) hash = mixed(hash, path.fromEnd(distance));
  return hash;
}

function mixed(hash: number, token: number): number {
  const next = Math.imul(hash ^ token, 0x9e3779b1);
  return next ^ (next >>> 15);
}
