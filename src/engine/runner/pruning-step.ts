/** What a prompt that drops tokens between layers reads and writes, beyond the embeddings of its tokens. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { PrunedPrompt } from '../kv-cache/pruned-prompt.js';
import { decoderInputs, newNames } from '../models/layers.js';
import { enteringName, pruningInputs } from '../models/pruned-rows.js';
import { tokensEntering } from '../visual-tokens/pruning-schedule.js';
import type { Feeds, Fetches, Tensor } from './ort-session.js';
import { booleans, floats, integers } from './ort-session.js';
import type { PromptPruning } from './runner.js';
import { rotaryPositions, rowPlaces, visibilityMask } from './step-inputs.js';

/** Above every importance, which is at most 1. */
const protectedWorth = 2;

export class PruningStep {
  readonly embeddings: Float32Array;
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
  readonly #config: DecoderConfig;
  /** Cached tokens before the chunk. */
  readonly #cached: number;
  readonly #droppable: Uint8Array;
  /** Rows that enter each layer. */
  readonly #entering: readonly number[];
  /** Rows that stay whatever happens. */
  readonly #fixed: number;

  constructor(config: DecoderConfig, cached: number, { droppable, layers }: PromptPruning) {
    this.#config = config;
    this.#cached = cached;
    this.#droppable = droppable.slice();
    this.#droppable[droppable.length - 1] = 0;
    const visual = this.#droppable.reduce((sum, flag) => sum + flag, 0);
    this.#fixed = droppable.length - visual;
    this.#entering = tokensEntering(config.layers, visual, this.#fixed, layers);
    const perLayer = () =>
      this.#entering.map((rows) => new Float32Array(rows * config.kvHeads * config.headDim));
    this.embeddings = new Float32Array(droppable.length * config.hiddenSize);
    this.newKeys = perLayer();
    this.newValues = perLayer();
  }

  get #rows(): number {
    return this.#droppable.length;
  }

  /** `identityRow` is the row of the rotary tables that turns nothing. */
  feeds(identityRow: number): Feeds {
    const { heads, kvHeads, hiddenSize } = this.#config;
    const rows = this.#rows;
    const group = heads / kvHeads;
    const places = rowPlaces(1, rows, undefined);
    const mask = new Float32Array(rows * (this.#cached + rows));
    visibilityMask([this.#cached], places, this.#cached, mask);
    const positions = new BigInt64Array(rows * (group + 2));
    rotaryPositions([this.#cached], places, group, { identity: identityRow, firstQuery: 0 }, positions);
    return {
      [decoderInputs.embeddings]: floats(this.embeddings, [1, rows, hiddenSize]),
      [decoderInputs.mask]: floats(mask, [1, 1, rows, this.#cached + rows]),
      [decoderInputs.positions]: integers(positions, [1, (group + 2) * rows]),
      [decoderInputs.logitRows]: integers(BigInt64Array.of(BigInt(this.#entering.at(-1)! - 1))),
      [pruningInputs.rows]: integers(BigInt64Array.from({ length: rows }, (_, row) => BigInt(row))),
      [pruningInputs.protection]: floats(
        Float32Array.from(this.#droppable, (flag) => (flag === 1 ? 0 : protectedWorth)),
        [rows],
      ),
      ...this.#schedule(),
    };
  }

  fetches(): Fetches {
    const { kvHeads, headDim, layers } = this.#config;
    const fetches: Record<string, Tensor | null> = { logits: null };
    this.#entering.forEach((rows, layer) => {
      const { key, value } = newNames(layer);
      fetches[key] = floats(this.newKeys[layer]!, [1, kvHeads, rows, headDim]);
      fetches[value] = floats(this.newValues[layer]!, [1, kvHeads, rows, headDim]);
    });
    for (let layer = 1; layer < layers; layer++) fetches[enteringName(layer)] = null;
    return fetches;
  }

  /** What each layer now holds of the prompt, from what the run returned. */
  prunedPrompt(results: Readonly<Record<string, Tensor>>): PrunedPrompt {
    const kept = this.#entering.map((rows, layer) => {
      const chosen = results[enteringName(layer)]?.data as BigInt64Array | undefined;
      return Int32Array.from({ length: rows }, (_, i) => this.#cached + Number(chosen?.[i] ?? i));
    });
    return new PrunedPrompt(this.#cached, this.#cached + this.#rows, kept);
  }

  #schedule(): Feeds {
    const feeds: Record<string, Tensor> = {};
    for (let layer = 0; layer < this.#config.layers - 1; layer++) {
      const stay = this.#entering[layer + 1]!;
      const drops = stay < this.#entering[layer]!;
      feeds[pruningInputs.drops(layer)] = booleans([drops]);
      feeds[pruningInputs.ranks(layer)] = booleans([drops && stay > this.#fixed]);
      feeds[pruningInputs.stay(layer)] = integers(BigInt64Array.of(BigInt(stay)));
    }
    return feeds;
  }
}
