/** One model forward, whatever executes it. Knows token ids, lanes and logits; nothing of requests or text. */

import type { Logits } from '../../decoding/logit-row.js';
import type { LaneCache } from '../kv-cache/lane-cache.js';
import type { DecoderShape } from '../visual-tokens/flops.js';
import type { PruningLayers } from '../visual-tokens/pruning-schedule.js';

/**
 * The new rows of each lane as a tree instead of a chain, for the verification of drafts: a row sees the cached
 * tokens and its ancestors, and its position is the cached length plus its depth.
 */
export interface RowTrees {
  /** `[lanes]`: rows that count. Those behind them only fill the lane up to the widest one. */
  readonly counts: Int32Array;
  /** `[lanes, rows]`: the parent of each row within its lane, which comes before it; −1 for the cached tokens. */
  readonly parents: Int32Array;
}

/**
 * For rows of a prompt, in one lane, of which some are dropped between layers. They come in chunks, all with the same
 * settings; `cache.pruned` says how far they are. Asking for the logits of the last row (with the last chunk, or
 * behind it without any rows) takes all of them through layers that need the whole prompt, until none is left and the
 * logits come.
 */
export interface PromptPruning {
  readonly layers: PruningLayers;
  /** `[tokens]`, for all chunks together: 1 for tokens that may be dropped. The last one never is. */
  readonly droppable: Uint8Array;
  /** Layers that all rows pass in one go; all if absent. */
  readonly mostLayers?: number;
}

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
  /** Absent: every lane has `rows` tokens that follow one another. */
  readonly trees?: RowTrees;
  /** Absent: every layer computes all tokens. */
  readonly pruning?: PromptPruning;
  /** Rows that take the place of what the embedding table says about their tokens, images for example. */
  readonly embedded?: readonly EmbeddedRows[];
}

/** `values [n, width]` for the flat rows `firstRow` to `firstRow + n`. */
export interface EmbeddedRows {
  readonly firstRow: number;
  readonly values: Float32Array;
}

export interface Runner {
  readonly vocabSize: number;
  /** Longest sequence, in tokens. */
  readonly contextLength: number;
  readonly shape: DecoderShape;
  readonly cache: LaneCache;
  /** Whether a row of a step has the same bits alone, among others, and behind rows that are cached or new. */
  readonly rowsAreExact: boolean;
  /**
   * Computes the new tokens, appends their keys and values to the cache of each lane, and returns the logits
   * `[logitRows.length, vocabSize]`, which stay valid until the next call. Of a tree all rows that count are
   * appended, in their order; `cache.keep` then drops those that were not accepted.
   */
  forward(request: ForwardRequest): Promise<Logits>;
  close(): Promise<void>;
}
