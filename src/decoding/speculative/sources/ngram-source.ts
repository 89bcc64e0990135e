/** What usually follows the last two tokens, or the last one, in answers to this tenant. */

import type { Cursor, DraftSource, Proposals } from '../draft-source.js';
import { FollowingTokens } from '../following-tokens.js';
import type { TokenPath } from '../token-path.js';
import type { TrigramReader, TrigramStore } from '../trigram-store.js';
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

/** Read and used up before anyone else asks. */
const row = new FollowingTokens();

export class NgramSource implements DraftSource {
  readonly name = 'ngram';
  readonly slot = 1;
  readonly #stores: NgramStores;

  constructor(stores: NgramStores) {
    this.#stores = stores;
  }

  expand(path: TokenPath, _cursor: Cursor | undefined, into: Proposals): void {
    proposeRows(this.#stores.layers, path, 0, into);
  }

  commit(tokens: readonly number[], from: number): void {
    countPairs(this.#stores.counting, tokens, from);
  }
}

/** Proposes what the layers together say of the tokens behind a path; features are `first` + 1 to `first` + 242. */
export function proposeRows(
  layers: readonly TrigramReader[],
  path: TokenPath,
  first: number,
  into: Proposals,
): void {
  const b = path.fromEnd(0);
  const proposed: number[] = [];
  proposeRow(layers, path.fromEnd(1), b, first + THREE, proposed, into);
  const byTwo = proposed.length;
  proposeRow(layers, ANY, b, first + TWO, proposed, into);
  if (proposed.length > 0) into.otherwise(first + (byTwo > 0 ? 1 : 2));
}

/** The tokens of one row that are not proposed yet, as many as there is room for, the likeliest first. */
function proposeRow(
  layers: readonly TrigramReader[],
  a: number,
  b: number,
  first: number,
  proposed: number[],
  into: Proposals,
): void {
  row.clear();
  for (const layer of layers) layer.read(a, b, row);
  const { mass } = row;
  for (let rank = 0; rank < MAX_PROPOSALS && proposed.length < MAX_PROPOSALS; rank++) {
    const at = row.likeliest();
    if (at < 0) return;
    const token = row.tokens[at]!;
    if (!proposed.includes(token)) {
      const share = shareBucket(row.counts[at]!, mass);
      const feature = first + (share * 4 + massBucket(mass)) * 5 + rankBucket(row.recycled[at]!);
      proposed.push(token);
      into.propose(token, feature);
    }
    row.take(at);
  }
}

/** Counts each of `tokens` from number `from` on after the two before it. */
export function countPairs(store: TrigramStore, tokens: readonly number[], from = 0): void {
  for (let i = Math.max(1, from); i < tokens.length; i++) {
    store.count(i > 1 ? tokens[i - 2]! : ANY, tokens[i - 1]!, tokens[i]!);
  }
}

function shareBucket(count: number, mass: number): number {
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
function rankBucket(recycled: number): number {
  if (recycled === 0) return 0;
  if (recycled === 255) return 4;
  if (recycled > 85) return 3;
  return recycled > 17 ? 2 : 1;
}
