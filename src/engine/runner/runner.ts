/** One model forward, whatever executes it. Knows token ids, lanes and logits; nothing of requests or text. */

import type { LaneCache } from '../kv-cache/lane-cache.js';

/** New tokens for neighbouring lanes, the same number for each; positions continue the cache of the lane. */
export interface ForwardRequest {
  readonly firstLane: number;
  readonly lanes: number;
  /** New tokens per lane: 1 when decoding, the chunk length when prefilling. */
  readonly rows: number;
  /** `[lanes, rows]`, lane-major. */
  readonly tokenIds: Int32Array;
  /** Flat rows (`lane * rows + row`, counted from `firstLane`) whose logits are wanted; may be empty. */
  readonly logitRows: Int32Array;
}

export interface Runner {
  readonly vocabSize: number;
  /** Longest sequence, in tokens. */
  readonly contextLength: number;
  readonly cache: LaneCache;
  /**
   * Computes the new tokens, appends their keys and values to the cache of each lane, and returns the logits
   * `[logitRows.length, vocabSize]`, which stay valid until the next call.
   */
  forward(request: ForwardRequest): Promise<Float32Array>;
  close(): Promise<void>;
}
