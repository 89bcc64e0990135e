/**
 * What follows a pair of tokens (ADED's tri-grams, arXiv 2407.12021) and a single one (bi-grams), in flat memory:
 * a set-associative table with second chances, so that it never grows beyond its size. An entry has two channels:
 * how often the token was committed there, and how the model itself ranked it the last time it stood there
 * (Token Recycling, arXiv 2408.08696).
 */

import { FollowingTokens } from './following-tokens.js';

export const ROW_ENTRIES = 12;
const WAYS = 8;
const MAX_ROW_COUNT = 512;
/** Stands for the missing first token in the key of a bi-gram row. */
export const ANY = -1;

export interface FollowingToken {
  readonly token: number;
  readonly count: number;
  /** Weight of the token in the model's last ranking of this row: 255 for the likeliest, 0 for unranked. */
  readonly recycled: number;
}

/** Tri-grams to look at only. */
export interface TrigramReader {
  readonly bytes: number;
  /** Adds the entries of the row, if there is one. */
  read(a: number, b: number, into: FollowingTokens): void;
  /** The same as a list, in no order; empty if there is none. */
  following(a: number, b: number): FollowingToken[];
}

export interface TrigramTables {
  /** `[rows, 2]`: the pair; a row with no entries is free. */
  readonly keys: Int32Array;
  /** `[rows, ROW_ENTRIES]` each. */
  readonly tokens: Int32Array;
  readonly counts: Uint16Array;
  readonly recycled: Uint8Array;
  /** `[rows]`: entries in use. */
  readonly used: Uint8Array;
}

export const BYTES_PER_ROW = 2 * 4 + ROW_ENTRIES * (4 + 2 + 1) + 1 + 1;

export class TrigramStore implements TrigramReader {
  evictions = 0;
  #tables: TrigramTables;
  /** 1 for rows that were used since the last look for a victim. */
  #recent: Uint8Array;
  readonly #maxRows: number;

  constructor(maxBytes: number, tables: TrigramTables = emptyTables(1024)) {
    this.#maxRows = Math.max(1024, 2 ** Math.floor(Math.log2(maxBytes / BYTES_PER_ROW)));
    this.#tables = tables;
    this.#recent = new Uint8Array(tables.used.length);
  }

  get tables(): TrigramTables {
    return this.#tables;
  }

  get rows(): number {
    return this.#tables.used.length;
  }

  get bytes(): number {
    return this.rows * BYTES_PER_ROW;
  }

  /** Counts one occurrence of `token` after the pair, and after the second of the pair alone. */
  count(a: number, b: number, token: number): void {
    this.#countIn(this.#rowFor(a, b), token);
    this.#countIn(this.#rowFor(ANY, b), token);
  }

  /** Replaces the model's ranking of what follows: `tokens` best first, `weights` in (0, 1]. */
  recycle(a: number, b: number, tokens: readonly number[], weights: readonly number[]): void {
    this.#rank(this.#rowFor(a, b), tokens, weights);
    this.#rank(this.#rowFor(ANY, b), tokens, weights);
  }

  read(a: number, b: number, into: FollowingTokens): void {
    const row = this.#find(a, b);
    if (row < 0) return;
    this.#recent[row] = 1;
    const { tokens, counts, recycled, used } = this.#tables;
    const first = row * ROW_ENTRIES;
    for (let at = first; at < first + used[row]!; at++) into.add(tokens[at]!, counts[at]!, recycled[at]!);
  }

  following(a: number, b: number): FollowingToken[] {
    const row = new FollowingTokens();
    this.read(a, b, row);
    return Array.from({ length: row.length }, (_, at) => {
      return { token: row.tokens[at]!, count: row.counts[at]!, recycled: row.recycled[at]! };
    });
  }

  #find(a: number, b: number): number {
    const { keys, used } = this.#tables;
    const first = setOf(a, b, this.rows);
    for (let row = first; row < first + WAYS; row++) {
      if (keys[2 * row] === a && keys[2 * row + 1] === b && used[row]! > 0) return row;
    }
    return -1;
  }

  #countIn(row: number, token: number): void {
    this.#tables.counts[this.#entryFor(row, token)]!++;
    this.#halveIfFull(row);
  }

  #rank(row: number, tokens: readonly number[], weights: readonly number[]): void {
    const { recycled, used } = this.#tables;
    recycled.fill(0, row * ROW_ENTRIES, row * ROW_ENTRIES + used[row]!);
    for (let i = 0; i < tokens.length; i++) {
      recycled[this.#entryFor(row, tokens[i]!)] = Math.max(1, Math.round(255 * weights[i]!));
    }
  }

  #rowFor(a: number, b: number): number {
    let row = this.#find(a, b);
    if (row < 0) {
      row = this.#victim(a, b);
      this.#clear(row, a, b);
    }
    this.#recent[row] = 1;
    return row;
  }

  /** A free row of the set; else the table grows; else the first row that had no second chance. */
  #victim(a: number, b: number): number {
    const free = this.#freeRow(a, b);
    if (free >= 0) return free;
    if (this.rows < this.#maxRows) {
      this.#grow();
      return this.#victim(a, b);
    }
    const first = setOf(a, b, this.rows);
    this.evictions++;
    for (let row = first; row < first + WAYS; row++) {
      if (this.#recent[row] === 0) return row;
      this.#recent[row] = 0;
    }
    return first + (this.evictions % WAYS);
  }

  #freeRow(a: number, b: number): number {
    const first = setOf(a, b, this.rows);
    for (let row = first; row < first + WAYS; row++) if (this.#tables.used[row] === 0) return row;
    return -1;
  }

  #clear(row: number, a: number, b: number): void {
    const { keys, counts, recycled, used } = this.#tables;
    keys[2 * row] = a;
    keys[2 * row + 1] = b;
    used[row] = 0;
    counts.fill(0, row * ROW_ENTRIES, (row + 1) * ROW_ENTRIES);
    recycled.fill(0, row * ROW_ENTRIES, (row + 1) * ROW_ENTRIES);
  }

  /** The entry of the token; a full row gives up its least counted one, of equals the lowest ranked. */
  #entryFor(row: number, token: number): number {
    const { tokens, counts, recycled, used } = this.#tables;
    const first = row * ROW_ENTRIES;
    const end = first + used[row]!;
    for (let at = first; at < end; at++) if (tokens[at] === token) return at;
    if (used[row]! < ROW_ENTRIES) {
      tokens[end] = token;
      used[row]!++;
      return end;
    }
    let least = first;
    for (let at = first + 1; at < end; at++) {
      const fewer = counts[at]! - counts[least]! || recycled[at]! - recycled[least]!;
      if (fewer < 0) least = at;
    }
    tokens[least] = token;
    counts[least] = 0;
    recycled[least] = 0;
    return least;
  }

  #halveIfFull(row: number): void {
    const { counts } = this.#tables;
    const first = row * ROW_ENTRIES;
    let sum = 0;
    for (let at = first; at < first + ROW_ENTRIES; at++) sum += counts[at]!;
    if (sum <= MAX_ROW_COUNT) return;
    for (let at = first; at < first + ROW_ENTRIES; at++) counts[at]! >>= 1;
  }

  #grow(): void {
    const old = this.#tables;
    this.#tables = emptyTables(2 * old.used.length);
    this.#recent = new Uint8Array(this.rows);
    for (let row = 0; row < old.used.length; row++) {
      if (old.used[row]! > 0) this.#adopt(old, row);
    }
  }

  /** A row of the smaller table goes to one of two sets that were one, so there is room for it. */
  #adopt(old: TrigramTables, row: number): void {
    const [a, b] = [old.keys[2 * row]!, old.keys[2 * row + 1]!];
    const target = this.#freeRow(a, b);
    const { keys, tokens, counts, recycled, used } = this.#tables;
    const from = row * ROW_ENTRIES;
    const to = from + ROW_ENTRIES;
    keys.set([a, b], 2 * target);
    tokens.set(old.tokens.subarray(from, to), target * ROW_ENTRIES);
    counts.set(old.counts.subarray(from, to), target * ROW_ENTRIES);
    recycled.set(old.recycled.subarray(from, to), target * ROW_ENTRIES);
    used[target] = old.used[row]!;
  }
}

export function emptyTables(rows: number): TrigramTables {
  return {
    keys: new Int32Array(2 * rows),
    tokens: new Int32Array(rows * ROW_ENTRIES),
    counts: new Uint16Array(rows * ROW_ENTRIES),
    recycled: new Uint8Array(rows * ROW_ENTRIES),
    used: new Uint8Array(rows),
  };
}

/** First row of the set of a key; the low bits of the hash, so that doubling splits each set in two. */
function setOf(a: number, b: number, rows: number): number {
  let hash = Math.imul(a ^ 0x85ebca6b, 0x9e3779b1) ^ Math.imul(b, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash ^= hash >>> 15;
  return (hash & (rows / WAYS - 1)) * WAYS;
}
