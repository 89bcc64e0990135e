/** Forwards by kernels: as many rows at a time as they take, appended to the cache before the next ones. */

import type { Logits } from '../../decoding/logit-row.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { mostRows } from '../kernels/decoder-layout.js';
import type { KernelSteps } from '../kernels/kernel-steps.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import type { RotaryTables } from '../models/rotary.js';
import type { ForwardRequest } from './runner.js';
import { rowPlaces } from './step-inputs.js';
import { partsOf } from './step-parts.js';

/** What a forward asks of its surroundings. */
export interface RowSource {
  /** Fills `out [rows, width]` for all rows of the request. */
  embed(request: ForwardRequest, out: Float32Array): void;
  /** Tables that hold the positions of `rows` more tokens. */
  rotary(request: ForwardRequest): RotaryTables;
}

export class KernelForward {
  readonly #config: DecoderConfig;
  readonly #kernels: KernelSteps;
  readonly #cache: SlabLaneCache;
  readonly #source: RowSource;
  #embeddings = new Float32Array(0);
  #logits = new Float32Array(0);

  constructor(config: DecoderConfig, kernels: KernelSteps, cache: SlabLaneCache, source: RowSource) {
    this.#config = config;
    this.#kernels = kernels;
    this.#cache = cache;
    this.#source = source;
  }

  /** See `Runner.forward`. */
  run(request: ForwardRequest): Logits {
    const { firstLane, lanes, rows, tokenIds } = request;
    this.#cache.requireRoom(firstLane, countsOf(request));
    this.#embeddings = reach(this.#embeddings, tokenIds.length * this.#config.hiddenSize);
    this.#source.embed(request, this.#embeddings);
    return lanes * rows <= mostRows ? this.#step(request, this.#embeddings) : this.#inParts(request);
  }

  close(): Promise<void> {
    return this.#kernels.close();
  }

  #inParts(whole: ForwardRequest): Float32Array {
    const { vocabSize, hiddenSize } = this.#config;
    const count = whole.logitRows.length * vocabSize;
    this.#logits = reach(this.#logits, count);
    for (const { request, firstRow, logitIndices } of partsOf(whole, mostRows)) {
      const logits = this.#step(request, this.#embeddings.subarray(firstRow * hiddenSize));
      for (const [i, index] of logitIndices.entries()) {
        this.#logits.set(logits.subarray(i * vocabSize, (i + 1) * vocabSize), index * vocabSize);
      }
    }
    return this.#logits.subarray(0, count);
  }

  #step(request: ForwardRequest, embeddings: Float32Array): Logits {
    const { firstLane, lanes, rows, logitRows, trees } = request;
    const counts = countsOf(request);
    const places = rowPlaces(lanes, rows, trees);
    const rotary = this.#source.rotary(request);
    const step = { firstLane, lanes, perLane: rows, counts, ...places, logitRows, rotary, embeddings };
    const logits = this.#kernels.run(step, this.#cache);
    this.#cache.extend(firstLane, counts);
    return logits;
  }
}

/** Rows of each lane that are appended. */
function countsOf({ lanes, rows, trees }: ForwardRequest): Int32Array {
  return trees?.counts ?? new Int32Array(lanes).fill(rows);
}

function reach(floats: Float32Array<ArrayBuffer>, count: number): Float32Array<ArrayBuffer> {
  return floats.length >= count ? floats : new Float32Array(count);
}
