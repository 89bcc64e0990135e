/** Forwards by kernels: as many rows at a time as they take, appended to the cache before the next ones. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { mostRows } from '../kernels/decoder-layout.js';
import type { KernelResult, KernelSteps } from '../kernels/kernel-steps.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import type { RotaryTables } from '../models/rotary.js';
import type { ForwardRequest } from './runner.js';
import { rowPlaces } from './step-inputs.js';

/** Neighbouring lanes of a request, or some rows of one lane. */
interface Part {
  /** Counted from the first of the request. */
  readonly lane: number;
  readonly lanes: number;
  /** First row, of one lane; of several lanes all rows. */
  readonly row: number;
  readonly rows: number;
}

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
  run(request: ForwardRequest): Float32Array {
    const { hiddenSize, vocabSize } = this.#config;
    this.#embeddings = reach(this.#embeddings, request.tokenIds.length * hiddenSize);
    this.#source.embed(request, this.#embeddings);
    const logits = reach(this.#logits, request.logitRows.length * vocabSize);
    this.#logits = logits;
    for (const part of partsOf(request)) this.#part(request, part, logits);
    return logits.subarray(0, request.logitRows.length * vocabSize);
  }

  close(): Promise<void> {
    return this.#kernels.close();
  }

  #part(request: ForwardRequest, part: Part, logits: Float32Array): void {
    const { lanes, rows } = part;
    const { hiddenSize } = this.#config;
    const firstRow = part.lane * request.rows + part.row;
    const firstLane = request.firstLane + part.lane;
    const trees = request.trees && {
      counts: request.trees.counts.subarray(part.lane, part.lane + lanes),
      parents: request.trees.parents.subarray(firstRow, firstRow + lanes * rows),
    };
    const asked = [...request.logitRows.entries()].filter(
      ([, row]) => row >= firstRow && row < firstRow + lanes * rows,
    );
    const embedding = (row: number): Float32Array =>
      this.#embeddings.subarray((firstRow + row) * hiddenSize, (firstRow + row + 1) * hiddenSize);
    const result = this.#kernels.run(
      {
        firstLane,
        lanes,
        perLane: rows,
        ...rowPlaces(lanes, rows, trees),
        logitRows: Int32Array.from(asked, ([, row]) => row - firstRow),
        rotary: this.#source.rotary(request),
        embed: (row, out) => out.set(embedding(row)),
      },
      this.#cache,
    );
    this.#keep(
      result,
      asked.map(([index]) => index),
      logits,
    );
    this.#cache.appendRows(firstLane, lanes, rows, result.newKeys, result.newValues, trees?.counts);
  }

  #keep({ logits }: KernelResult, indices: readonly number[], out: Float32Array): void {
    for (const [i, index] of indices.entries()) out.set(logits[i]!, index * this.#config.vocabSize);
  }
}

function* partsOf({ lanes, rows }: ForwardRequest): Generator<Part> {
  const together = Math.floor(mostRows / rows);
  if (together > 0) {
    for (let lane = 0; lane < lanes; lane += together) {
      yield { lane, lanes: Math.min(together, lanes - lane), row: 0, rows };
    }
    return;
  }
  for (let lane = 0; lane < lanes; lane++) {
    for (let row = 0; row < rows; row += mostRows) {
      yield { lane, lanes: 1, row, rows: Math.min(mostRows, rows - row) };
    }
  }
}

function reach(floats: Float32Array<ArrayBuffer>, count: number): Float32Array<ArrayBuffer> {
  return floats.length >= count ? floats : new Float32Array(count);
}
