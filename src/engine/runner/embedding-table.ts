/**
 * Token embeddings, looked up outside the graph so that any row can stand in for a token. Rows are read from the
 * checkpoint file when they are needed: a few microseconds each, and no second copy of the table in memory.
 */

import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { TensorInfo } from '../checkpoint/safetensors.js';

export class EmbeddingTable {
  readonly #checkpoint: Checkpoint;
  readonly #tensor: TensorInfo;
  readonly #width: number;

  /** The table keeps the checkpoint open until `close`. */
  constructor(checkpoint: Checkpoint, tensorName: string, width: number) {
    this.#checkpoint = checkpoint;
    this.#tensor = checkpoint.tensor(tensorName);
    this.#width = width;
  }

  /** Fills `out [ids.length, width]`. */
  lookUp(ids: Int32Array, out: Float32Array): void {
    for (let i = 0; i < ids.length; i++) {
      const row = out.subarray(i * this.#width, (i + 1) * this.#width);
      this.#checkpoint.readRows(this.#tensor, ids[i]!, 1, row);
    }
  }

  close(): void {
    this.#checkpoint.close();
  }
}
