/**
 * Token embeddings, looked up outside the graph so that any row can stand in for a token. Rows are read from the
 * checkpoint file when they are needed, and those that came lately are kept: no second copy of the table in memory.
 */

import { LRUCache } from 'lru-cache';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { TensorInfo } from '../checkpoint/safetensors.js';

/** Of rows that are kept; the commonest tokens of a text are few. */
const keptBytes = 2 ** 22;
/** Longer prompts would only drive out what decoding needs. */
const fewTokens = 64;

export class EmbeddingTable {
  readonly #checkpoint: Checkpoint;
  readonly #tensor: TensorInfo;
  readonly #width: number;
  readonly #kept: LRUCache<number, Float32Array>;

  /** The table keeps the checkpoint open until `close`. */
  constructor(checkpoint: Checkpoint, tensorName: string, width: number) {
    this.#checkpoint = checkpoint;
    this.#tensor = checkpoint.tensor(tensorName);
    this.#width = width;
    this.#kept = new LRUCache({ max: Math.max(1, Math.floor(keptBytes / (4 * width))) });
  }

  /** Fills `out [ids.length, width]`. */
  lookUp(ids: Int32Array, out: Float32Array): void {
    const width = this.#width;
    for (let i = 0; i < ids.length; i++) {
      if (ids.length <= fewTokens) out.set(this.#row(ids[i]!), i * width);
      else this.#read(ids[i]!, out.subarray(i * width, (i + 1) * width));
    }
  }

  close(): void {
    this.#checkpoint.close();
  }

  #row(id: number): Float32Array {
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept;
    const row = this.#read(id, new Float32Array(this.#width));
    this.#kept.set(id, row);
    return row;
  }

  #read(id: number, out: Float32Array): Float32Array {
    return this.#checkpoint.readRows(this.#tensor, id, 1, out);
  }
}
