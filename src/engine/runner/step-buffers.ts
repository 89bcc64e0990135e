/**
 * Input and output memory of a step. Tensors are made once per shape; those of all shapes share their memory,
 * since drafts give steps of many shapes and only one runs at a time.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { allNew, decoderInputs } from '../models/decoder-ports.js';
import type { Feeds, Fetches, Tensor } from './ort-session.js';
import { floats, integers } from './ort-session.js';
import { headSizes, queryDivision } from './step-inputs.js';

export interface StepShape {
  readonly phase: 'step' | 'prompt';
  readonly lanes: number;
  readonly rows: number;
  /** Columns of the mask that stand for the cache; 0 when there is nothing to look back at. */
  readonly capacity: number;
  readonly logitRows: number;
}

export interface StepBuffers {
  readonly embeddings: Float32Array;
  readonly mask: Float32Array;
  readonly positions: BigInt64Array;
  readonly logitRows: BigInt64Array;
  readonly logits: Float32Array;
  /** Per layer, `[lanes, kvHeads, rows, headDim]`. */
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
  readonly feeds: Feeds;
  readonly fetches: Fetches;
}

/** Tensors are small, but their shapes keep changing with the capacity of the cache. */
const keptShapes = 128;

export class StepBufferPool {
  readonly #config: DecoderConfig;
  readonly #arena = new Arena();
  readonly #buffers = new Map<string, StepBuffers>();

  constructor(config: DecoderConfig) {
    this.#config = config;
  }

  get(shape: StepShape): StepBuffers {
    const key = `${shape.phase}:${shape.lanes}:${shape.rows}:${shape.capacity}:${shape.logitRows}`;
    const known = this.#buffers.get(key);
    if (known !== undefined) return known;
    const { grown } = this.#arena;
    const fresh = allocate(this.#config, shape, this.#arena);
    // What has grown moved, and the tensors over the old memory would only keep it alive.
    if (this.#arena.grown > grown || this.#buffers.size >= keptShapes) this.#buffers.clear();
    this.#buffers.set(key, fresh);
    return fresh;
  }
}

/** Named blocks of memory that grow. */
class Arena {
  grown = 0;
  readonly #floats = new Map<string, Float32Array>();

  floats(name: string, size: number): Float32Array {
    let block = this.#floats.get(name);
    if (block === undefined || block.length < size) {
      block = new Float32Array(size);
      this.#floats.set(name, block);
      this.grown++;
    }
    return block.subarray(0, size);
  }
}

function allocate(config: DecoderConfig, shape: StepShape, arena: Arena): StepBuffers {
  const { phase, lanes, rows, capacity, logitRows } = shape;
  const { hiddenSize, heads, kvHeads, headDim, vocabSize, layers } = config;
  const group = heads / kvHeads;
  const tokens = lanes * rows;
  const headAxes = headSizes(phase, lanes, kvHeads);
  const [sequences] = headAxes;
  const newRows = arena.floats('new', 2 * layers * tokens * kvHeads * headDim);
  const newBlocks = Array.from({ length: 2 * layers }, (_, i) =>
    newRows.subarray(i * tokens * kvHeads * headDim, (i + 1) * tokens * kvHeads * headDim),
  );
  const embeddings = arena.floats('embeddings', tokens * hiddenSize);
  const mask = arena.floats('mask', tokens * (capacity + rows));
  const positions = new BigInt64Array(sequences * (group + 2) * rows);
  const asked = new BigInt64Array(logitRows);
  const logits = arena.floats('logits', logitRows * vocabSize);
  const feeds: Feeds = {
    [decoderInputs.embeddings]: floats(embeddings, [lanes, rows, hiddenSize]),
    [decoderInputs.mask]: floats(mask, [lanes, 1, rows, capacity + rows]),
    [decoderInputs.positions]: integers(positions, [sequences, (group + 2) * rows]),
    [decoderInputs.headSplit]: sizes(group * rows, rows, rows),
    [decoderInputs.keySplit]: sizes(capacity, rows),
    [decoderInputs.flatShape]: sizes(sequences, 1, (group + 2) * rows, headDim),
    [decoderInputs.queryShape]: sizes(sequences, ...queryDivision(group * rows), headDim),
    [decoderInputs.maskShape]: sizes(sequences, ...queryDivision(group * rows), capacity + rows),
    [decoderInputs.regroupedShape]: sizes(lanes, kvHeads, group, rows, headDim),
    [decoderInputs.logitRows]: integers(asked),
  };
  const fetches: Fetches = {
    logits: floats(logits, [logitRows, vocabSize]),
    [allNew]: floats(newRows, [2 * layers * sequences, headAxes[1], rows, headDim]),
  };
  const newKeys = newBlocks.filter((_, i) => i % 2 === 0);
  const newValues = newBlocks.filter((_, i) => i % 2 === 1);
  return { embeddings, mask, positions, logitRows: asked, logits, newKeys, newValues, feeds, fetches };
}

const sizes = (...values: readonly number[]): Tensor => integers(BigInt64Array.from(values, BigInt));
