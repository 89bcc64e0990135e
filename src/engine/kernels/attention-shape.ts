/** What the parts of the attention kernel agree on. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';

export type HeadShape = Pick<DecoderConfig, 'heads' | 'kvHeads' | 'headDim'>;

/** Neighbouring query heads of one KV head. */
export interface Heads {
  readonly first: number;
  readonly count: number;
}

export const segmentTokens = 64;
/** Heads whose products share the loads of a key or value; more of them would not fit into registers. */
export const headsAtOnce = 4;
/** Scores of a head, and room for a vector behind them. */
export const scoreRowBytes = 4 * segmentTokens + 16;
/** Finite, so that no difference is undefined. */
export const hidden = -1e30;

/** What a segment leaves of one head: its sum, then the maximum and the sum of the weights. */
export const partialBytes = (headDim: number): number => 4 * headDim + 16;
export const scoreBytes = (group: number): number => group * scoreRowBytes;
