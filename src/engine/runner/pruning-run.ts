/**
 * What a run of the graph for prompts that drop tokens reads and writes: rows that go through some of its layers.
 * Chunks of the prompt pass the lower layers one after another, then all of it passes the others at once.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { WaitingRows } from '../kv-cache/pruned-prompt.js';
import { PrunedPrompt } from '../kv-cache/pruned-prompt.js';
import { decoderInputs, newNames } from '../models/layers.js';
import { layerFlags, pruningInputs, pruningOutputs } from '../models/pruned-rows.js';
import { tokensEntering } from '../visual-tokens/pruning-schedule.js';
import type { Feeds, Fetches, Tensor } from './ort-session.js';
import { booleans, floats, integers } from './ort-session.js';
import type { PromptPruning } from './runner.js';
import { rotaryPositions, rowPlaces, visibilityMask } from './step-inputs.js';

/** Above every importance, which is at most 1. */
const protectedWorth = 2;
const none = new Float32Array(0);

export interface PassingRows {
  /** Tokens before the first of the rows. */
  readonly before: number;
  readonly count: number;
  /** The layers that the rows pass. */
  readonly from: number;
  readonly to: number;
  /** Rows that enter each layer, 0 outside of those. */
  readonly entering: readonly number[];
  /** Rows that always stay; all of them if none is dropped. */
  readonly isFixed: Uint8Array;
  /** Rows that come from lower layers instead of beginning. */
  readonly joining?: WaitingRows;
}

/** `count` rows behind `before` tokens, through the layers in which nothing is dropped. */
export function lowerPass(
  { layers }: DecoderConfig,
  before: number,
  count: number,
  { first }: PromptPruning['layers'],
): PassingRows {
  const entering = Array.from({ length: layers }, (_, layer) => (layer < first ? count : 0));
  return { before, count, from: 0, to: first, entering, isFixed: new Uint8Array(count).fill(1) };
}

/** All rows behind `before` tokens, through the layers in which some are dropped. */
export function upperPass(
  { layers }: DecoderConfig,
  before: number,
  { droppable, layers: pruning }: PromptPruning,
  joining: WaitingRows,
): PassingRows {
  const count = droppable.length;
  const isFixed = droppable.map((flag) => 1 - flag);
  isFixed[count - 1] = 1;
  const fixed = isFixed.reduce((sum, flag) => sum + flag, 0);
  const entering = tokensEntering(layers, count - fixed, fixed, pruning).map((rows, layer) =>
    layer < pruning.first ? 0 : rows,
  );
  return { before, count, from: pruning.first, to: layers, entering, isFixed, joining };
}

export class PruningRun {
  /** `[count, width]`, to be filled; no row if they join. */
  readonly embeddings: Float32Array;
  /** Per layer that the rows pass, `[kvHeads, rows, headDim]`; empty for the others. */
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
  readonly #config: DecoderConfig;
  readonly #rows: PassingRows;

  constructor(config: DecoderConfig, rows: PassingRows) {
    this.#config = config;
    this.#rows = rows;
    const perLayer = () =>
      rows.entering.map((entering) => new Float32Array(entering * config.kvHeads * config.headDim));
    this.embeddings = new Float32Array(rows.joining === undefined ? rows.count * config.hiddenSize : 0);
    this.newKeys = perLayer();
    this.newValues = perLayer();
  }

  /** `identityRow` is the row of the rotary tables that turns nothing. */
  feeds(identityRow: number): Feeds {
    const { hiddenSize } = this.#config;
    const { count, to, entering, isFixed, joining } = this.#rows;
    const logitRows = to === this.#config.layers ? [BigInt(entering.at(-1)! - 1)] : [];
    const joined = joining === undefined ? 0 : count;
    const { heads, residual } = joining ?? { heads: none, residual: none };
    const projected = projectedWidth(this.#config);
    return {
      [decoderInputs.embeddings]: floats(this.embeddings, [1, count - joined, hiddenSize]),
      [decoderInputs.logitRows]: integers(BigInt64Array.from(logitRows)),
      [pruningInputs.rows]: integers(BigInt64Array.from({ length: count }, (_, row) => BigInt(row))),
      [pruningInputs.protection]: floats(
        Float32Array.from(isFixed, (flag) => flag * protectedWorth),
        [count],
      ),
      [pruningInputs.joiningHeads]: floats(heads, [1, joined, projected]),
      [pruningInputs.joiningResidual]: floats(residual, [1, joined, hiddenSize]),
      ...this.#places(identityRow),
      ...this.#schedule(),
    };
  }

  /** Rows that leave are written to `leaving`. */
  fetches(leaving?: WaitingRows): Fetches {
    const { kvHeads, headDim, hiddenSize, layers } = this.#config;
    const { from, to, count, entering } = this.#rows;
    const fetches: Record<string, Tensor | null> = {};
    for (let layer = from; layer < to; layer++) {
      const { key, value } = newNames(layer);
      const shape = [kvHeads, 1, entering[layer]!, headDim];
      fetches[key] = floats(this.newKeys[layer]!, shape);
      fetches[value] = floats(this.newValues[layer]!, shape);
      if (layer > from) fetches[pruningOutputs.entering(layer)] = null;
    }
    if (to === layers) fetches.logits = null;
    if (leaving === undefined) return fetches;
    fetches[pruningOutputs.leavingHeads] = floats(leaving.heads, [1, count, projectedWidth(this.#config)]);
    fetches[pruningOutputs.leavingResidual] = floats(leaving.residual, [1, count, hiddenSize]);
    return fetches;
  }

  /** What each layer now holds of the prompt, from what the run of the upper layers returned. */
  prunedPrompt(results: Readonly<Record<string, Tensor>>, base: PrunedPrompt | undefined): PrunedPrompt {
    const { before, count, from, entering } = this.#rows;
    const kept = entering.map((rows, layer) => {
      const chosen = results[pruningOutputs.entering(layer)]?.data as BigInt64Array | undefined;
      return Int32Array.from(
        { length: layer < from ? count : rows },
        (_, i) => before + Number(chosen?.[i] ?? i),
      );
    });
    return new PrunedPrompt(before, before + count, kept, { base });
  }

  #places(identityRow: number): Feeds {
    const { heads, kvHeads } = this.#config;
    const { before, count } = this.#rows;
    const group = heads / kvHeads;
    const places = rowPlaces(1, count, undefined);
    const mask = new Float32Array(count * (before + count));
    visibilityMask([before], places, before, mask);
    const positions = new BigInt64Array(kvHeads * (group + 2) * count);
    const rotary = { identity: identityRow, firstQuery: identityRow + 1 };
    rotaryPositions([before], places, group, rotary, positions);
    return {
      [decoderInputs.mask]: floats(mask, [count, before + count]),
      [decoderInputs.positions]: integers(positions, [kvHeads, (group + 2) * count]),
    };
  }

  #schedule(): Feeds {
    const { layers } = this.#config;
    const { from, to, entering, isFixed, joining } = this.#rows;
    const fixed = isFixed.reduce((sum, flag) => sum + flag, 0);
    const staying = entering.map((rows, layer) => (layer + 1 < to ? entering[layer + 1]! : rows));
    const flags: Readonly<Record<(typeof layerFlags)[number], (layer: number) => boolean>> = {
      attends: (layer) => layer >= from && layer < to,
      joins: (layer) => joining !== undefined && layer === from,
      ranks: (layer) => staying[layer]! < entering[layer]! && staying[layer]! > fixed,
    };
    return {
      [pruningInputs.flags]: booleans(
        layerFlags.flatMap((flag) => Array.from({ length: layers }, (_, layer) => flags[flag](layer))),
      ),
      [pruningInputs.staying]: integers(BigInt64Array.from(staying, BigInt)),
    };
  }
}

/** Of queries, keys and values of a token. */
export function projectedWidth({ heads, kvHeads, headDim }: DecoderConfig): number {
  return (heads + 2 * kvHeads) * headDim;
}
