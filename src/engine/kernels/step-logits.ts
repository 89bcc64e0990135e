/** The logits of a step, where the kernels leave them. */

import type { StepRoom } from './decoder-layout.js';
import { mostRows } from './decoder-layout.js';
import type { KernelMemory } from './kernel-memory.js';

export class StepLogits {
  readonly #vocabSize: number;
  /** Floats from one row to the next. */
  readonly #stride: number;
  readonly #all: Float32Array;
  /** Rows without what lies between them, for vocabularies that are not made of whole groups. */
  #packed = new Float32Array(0);

  constructor(vocabSize: number, { logits }: StepRoom, memory: KernelMemory) {
    this.#vocabSize = vocabSize;
    this.#stride = logits.stride / 4;
    this.#all = memory.floats(logits.address, mostRows * this.#stride);
  }

  /** `[rows, vocabSize]`, valid until the next step. */
  read(rows: number): Float32Array {
    const vocabSize = this.#vocabSize;
    if (this.#stride === vocabSize) return this.#all.subarray(0, rows * vocabSize);
    if (this.#packed.length < rows * vocabSize) this.#packed = new Float32Array(rows * vocabSize);
    for (let row = 0; row < rows; row++) {
      const from = row * this.#stride;
      this.#packed.set(this.#all.subarray(from, from + vocabSize), row * vocabSize);
    }
    return this.#packed.subarray(0, rows * vocabSize);
  }
}
