/** What came of the options of a request: what images cost, what drafts brought, and what was saved. */

import type { DraftReceipt } from './draft-receipt.js';

/** What images cost and what was saved; counts are tokens, compute is in floating-point operations. */
export interface VisualTokenReceipt {
  readonly images: number;
  /** Images that were not encoded again. */
  readonly cachedImages: number;
  /** Tokens, from the first image on, that were cached up to the layer where pruning begins. */
  readonly lowerCached: number;
  /** Views of images and frames of videos that go through the encoder, and how many there would be without a budget. */
  readonly views: number;
  readonly fullViews: number;
  /** Tokens that the prompt would have had at full resolution, unmerged. */
  readonly encoded: number;
  /** After merging; so many enter the decoder. */
  readonly merged: number;
  /** All tokens of the prompt that enter each layer of the decoder. */
  readonly perLayer: readonly number[];
  /** Rows of keys and values over all layers when the prompt was done, and their bytes. */
  readonly kvRows: number;
  readonly kvBytes: number;
  /**
   * `compact` removes pruned tokens; `frozen` goes on behind an earlier turn as that one was pruned, for another
   * question; `dense` when nothing was pruned.
   */
  readonly mode: 'dense' | 'compact' | 'frozen';
  /** Decoding and encoding, waiting for the images of other requests included. */
  readonly encodeMs: number;
  readonly mergeMs: number;
  readonly prefillMs: number;
}

export interface FlopsReceipt {
  /** By the decoder, scoring and merging included. */
  readonly executed: number;
  /** What the same tokens would have taken unmerged, unpruned and uncached. */
  readonly dense: number;
  /** The part of `executed` that went into merging and scoring. */
  readonly overhead: number;
}

export interface EfficiencyReceipt {
  readonly draftVerification?: DraftReceipt;
  readonly visualTokens?: VisualTokenReceipt;
  readonly flops?: FlopsReceipt;
}
