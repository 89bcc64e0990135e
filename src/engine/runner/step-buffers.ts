/** Input and output memory of a step, made once per shape and filled again at every step of that shape. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { decoderInputs, newNames } from '../models/layers.js';
import type { Feeds, Fetches, Tensor } from './ort-session.js';
import { floats, integers } from './ort-session.js';

export interface StepShape {
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

/** Shapes change slowly while sequences decode; more than this many at once means that old ones are gone. */
const keptShapes = 12;

export class StepBufferPool {
  readonly #config: DecoderConfig;
  readonly #buffers = new Map<string, StepBuffers>();

  constructor(config: DecoderConfig) {
    this.#config = config;
  }

  get(shape: StepShape): StepBuffers {
    const key = `${shape.lanes}:${shape.rows}:${shape.capacity}:${shape.logitRows}`;
    const known = this.#buffers.get(key);
    if (known !== undefined) return known;
    if (this.#buffers.size >= keptShapes) this.#buffers.clear();
    const fresh = allocate(this.#config, shape);
    this.#buffers.set(key, fresh);
    return fresh;
  }
}

function allocate(config: DecoderConfig, { lanes, rows, capacity, logitRows }: StepShape): StepBuffers {
  const { hiddenSize, heads, kvHeads, headDim, vocabSize, layers } = config;
  const group = heads / kvHeads;
  const tokens = lanes * rows;
  const perLayer = () => Array.from({ length: layers }, () => new Float32Array(tokens * kvHeads * headDim));
  const embeddings = new Float32Array(tokens * hiddenSize);
  const mask = new Float32Array(tokens * (capacity + rows));
  const positions = new BigInt64Array(tokens * (group + 2));
  const asked = new BigInt64Array(logitRows);
  const logits = new Float32Array(logitRows * vocabSize);
  const newKeys = perLayer();
  const newValues = perLayer();
  const feeds: Feeds = {
    [decoderInputs.embeddings]: floats(embeddings, [lanes, rows, hiddenSize]),
    [decoderInputs.mask]: floats(mask, [lanes, 1, rows, capacity + rows]),
    [decoderInputs.positions]: integers(positions, [lanes, (group + 2) * rows]),
    [decoderInputs.headSplit]: integers(BigInt64Array.of(BigInt(group * rows), BigInt(rows), BigInt(rows))),
    [decoderInputs.keySplit]: integers(BigInt64Array.of(BigInt(capacity), BigInt(rows))),
    [decoderInputs.logitRows]: integers(asked),
  };
  const fetches: Record<string, Tensor> = { logits: floats(logits, [logitRows, vocabSize]) };
  for (let layer = 0; layer < layers; layer++) {
    const { key, value } = newNames(layer);
    fetches[key] = floats(newKeys[layer]!, [lanes, kvHeads, rows, headDim]);
    fetches[value] = floats(newValues[layer]!, [lanes, kvHeads, rows, headDim]);
  }
  return { embeddings, mask, positions, logitRows: asked, logits, newKeys, newValues, feeds, fetches };
}
