/** What usually follows the last two tokens, or the last one, in answers to this tenant. */

import type { DraftSource, Expansion, Proposal } from '../draft-source.js';
import { nothing } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';
import type { FollowingToken, TrigramReader, TrigramStore } from '../trigram-store.js';
import { ANY } from '../trigram-store.js';

/** Proposals per node; the calibrator gives those behind them next to no chance. */
const MAX_PROPOSALS = 6;
/** First features of entries, by what their row stands behind: one token, or two. */
const TWO = 3;
const THREE = TWO + 6 * 4 * 5;

export interface NgramStores {
  /** Read in this order; what they say of a token is added up. */
  readonly layers: readonly TrigramReader[];
  /** The layer that counts what is committed. */
  readonly counting: TrigramStore;
}

export class NgramSource implements DraftSource {
  readonly name = 'ngram';
  readonly slot = 1;
  readonly #stores: NgramStores;
  #last: readonly [number, number] = [ANY, ANY];

  constructor(stores: NgramStores) {
    this.#stores = stores;
  }

  expand(path: TokenPath): Expansion {
    return readRows(this.#stores.layers, path, 0);
  }

  commit(tokens: readonly number[]): void {
    this.#last = countPairs(this.#stores.counting, this.#last, tokens);
  }

  /** The tokens before the first that is committed. */
  begin(a: number, b: number): void {
    this.#last = [a, b];
  }
}

/** What the layers together say of the tokens behind a path; features are `first` + 1 to `first` + 242. */
export function readRows(layers: readonly TrigramReader[], path: TokenPath, first: number): Expansion {
  const [a, b] = [path.fromEnd(1), path.fromEnd(0)];
  const three = readRow(mergedEntries(layers, a, b), first + THREE);
  const two = readRow(mergedEntries(layers, ANY, b), first + TWO);
  if (three.length + two.length === 0) return nothing;
  const known = new Set(three.map(({ token }) => token));
  const proposals = [...three, ...two.filter(({ token }) => !known.has(token))].slice(0, MAX_PROPOSALS);
  return { proposals, otherwise: first + (three.length > 0 ? 1 : 2) };
}

function readRow(entries: FollowingToken[], first: number): Proposal[] {
  const mass = entries.reduce((sum, { count }) => sum + count, 0);
  entries.sort((x, y) => y.count - x.count || y.recycled - x.recycled);
  return entries.slice(0, MAX_PROPOSALS).map((entry) => ({
    token: entry.token,
    feature: first + (shareBucket(entry, mass) * 4 + massBucket(mass)) * 5 + rankBucket(entry),
    cursor: undefined,
  }));
}

function mergedEntries(layers: readonly TrigramReader[], a: number, b: number): FollowingToken[] {
  const rows = layers.map((layer) => layer.following(a, b)).filter(({ length }) => length > 0);
  if (rows.length <= 1) return rows[0] ?? [];
  const merged = new Map<number, FollowingToken>();
  for (const { token, count, recycled } of rows.flat()) {
    const known = merged.get(token) ?? { token, count: 0, recycled: 0 };
    merged.set(token, { token, count: known.count + count, recycled: Math.max(known.recycled, recycled) });
  }
  return [...merged.values()];
}

/** Counts each of `tokens` after the two before it, of which `last` are the first; returns the last two of all. */
export function countPairs(
  store: TrigramStore,
  last: readonly [number, number],
  tokens: readonly number[],
): readonly [number, number] {
  let [a, b] = last;
  for (const token of tokens) {
    if (b !== ANY) store.count(a, b, token);
    [a, b] = [b, token];
  }
  return [a, b];
}

function shareBucket({ count }: FollowingToken, mass: number): number {
  const share = mass === 0 ? 0 : count / mass;
  if (share === 0 || share === 1) return share === 0 ? 0 : 5;
  if (share < 0.2) return 1;
  if (share < 0.5) return 2;
  return share < 0.8 ? 3 : 4;
}

function massBucket(mass: number): number {
  if (mass <= 1) return 0;
  if (mass <= 3) return 1;
  return mass <= 10 ? 2 : 3;
}

/** How the model itself weighed the token the last time it stood here, relative to its favourite. */
function rankBucket({ recycled }: FollowingToken): number {
  if (recycled === 0) return 0;
  if (recycled === 255) return 4;
  if (recycled > 85) return 3;
  return recycled > 17 ? 2 : 1;
}
