/** The logits of a step, where the kernels leave them. */

import { type Logits, peakRun } from '../../decoding/logit-row.js';
import type { StepRoom } from './decoder-layout.js';
import { mostRows } from './decoder-layout.js';
import type { KernelMemory } from './kernel-memory.js';

export class StepLogits {
  readonly #vocabSize: number;
  /** Floats from one row to the next. */
  readonly #stride: number;
  readonly #all: Float32Array;
  readonly #runs: number;
  readonly #peaks: Float32Array;
  /** Rows without what lies between them, for vocabularies that are not made of whole groups. */
  #packed = new Float32Array(0);

  constructor(vocabSize: number, { logits, peaks }: StepRoom, memory: KernelMemory) {
    this.#vocabSize = vocabSize;
    this.#stride = logits.stride / 4;
    this.#all = memory.floats(logits.address, mostRows * this.#stride);
    this.#runs = Math.floor(vocabSize / peakRun);
    this.#peaks = memory.floats(peaks, mostRows * this.#runs);
  }

  /** `[rows, vocabSize]`, valid until the next step. */
  read(rows: number): Logits {
    const logits: Logits = this.#stride === this.#vocabSize ? this.#inPlace(rows) : this.#pack(rows);
    logits.peaks = this.#peaks.subarray(0, rows * this.#runs);
    return logits;
  }

  #inPlace(rows: number): Float32Array {
    return this.#all.subarray(0, rows * this.#vocabSize);
  }

  #pack(rows: number): Float32Array {
    const vocabSize = this.#vocabSize;
    if (this.#packed.length < rows * vocabSize) this.#packed = new Float32Array(rows * vocabSize);
    for (let row = 0; row < rows; row++) {
      const from = row * this.#stride;
      this.#packed.set(this.#all.subarray(from, from + vocabSize), row * vocabSize);
    }
    return this.#packed.subarray(0, rows * vocabSize);
  }
}
