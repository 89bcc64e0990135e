/** What one run of the graph for prompts that drop tokens reads and writes: rows that pass some of its layers. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { WaitingRows } from '../kv-cache/pruned-prompt.js';
import { decoderInputs, newNames } from '../models/decoder-ports.js';
import { layerFlags, pruningInputs, pruningOutputs } from '../models/pruned-rows.js';
import type { Feeds, Fetches, Tensor } from './ort-session.js';
import { booleans, floats, integers } from './ort-session.js';
import { rotaryPositions, rowPlaces, visibilityMask } from './step-inputs.js';

/** Above every importance, which is at most 1. */
const protectedWorth = 2;
const nothing = new Float32Array(0);

export interface PassingRows {
  /** The tokens of the rows, ascending, which are their positions as well. */
  readonly tokens: Int32Array;
  /** Tokens before them, which all of them see. */
  readonly before: number;
  /** The layers that the rows pass. */
  readonly from: number;
  readonly to: number;
  /** Rows that enter each layer, and that stay behind its attention. */
  readonly entering: readonly number[];
  readonly staying: readonly number[];
  /** `[rows]`: 1 for rows that always stay. */
  readonly isFixed: Uint8Array;
  /** Rows that come from lower layers instead of beginning. */
  readonly joining?: WaitingRows;
}

export class PruningRun {
  /** `[rows, width]`, to be filled; empty if the rows join. */
  readonly embeddings: Float32Array;
  /** Per layer that the rows pass, `[kvHeads, rows, headDim]`; empty for the others. */
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
  /** The rows that do not pass the last layer, to be filled. */
  readonly leaving: WaitingRows | undefined;
  readonly #config: DecoderConfig;
  readonly #rows: PassingRows;

  constructor(config: DecoderConfig, rows: PassingRows) {
    const { layers, kvHeads, headDim, hiddenSize } = config;
    this.#config = config;
    this.#rows = rows;
    const perLayer = () =>
      rows.entering.map(
        (entering, layer) => new Float32Array(this.#passes(layer) ? entering * kvHeads * headDim : 0),
      );
    this.embeddings =
      rows.joining === undefined ? new Float32Array(rows.tokens.length * hiddenSize) : nothing;
    this.newKeys = perLayer();
    this.newValues = perLayer();
    const left = rows.to === 0 ? rows.tokens.length : rows.staying[rows.to - 1]!;
    this.leaving = rows.to < layers ? roomFor(config, left) : undefined;
  }

  /** `identityRow` is the row of the rotary tables that turns nothing. */
  feeds(identityRow: number): Feeds {
    const { hiddenSize, layers } = this.#config;
    const { tokens, to, staying, isFixed, joining } = this.#rows;
    const logitRows = to === layers ? [BigInt(staying.at(-1)! - 1)] : [];
    const projected = projectedWidth(this.#config);
    const { heads, residual, tokens: joined } = joining ?? { heads: nothing, residual: nothing, tokens: 0 };
    const count = tokens.length;
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

  fetches(): Fetches {
    const { kvHeads, headDim, hiddenSize, layers } = this.#config;
    const { from, to, entering } = this.#rows;
    const fetches: Record<string, Tensor | null> = {};
    for (let layer = from; layer < to; layer++) {
      const { key, value } = newNames(layer);
      const shape = [kvHeads, 1, entering[layer]!, headDim];
      fetches[key] = floats(this.newKeys[layer]!, shape);
      fetches[value] = floats(this.newValues[layer]!, shape);
      if (layer + 1 < layers) fetches[pruningOutputs.entering(layer + 1)] = null;
    }
    if (this.leaving === undefined) return { ...fetches, logits: null };
    const { heads, residual, tokens } = this.leaving;
    fetches[pruningOutputs.leavingHeads] = floats(heads, [1, tokens, projectedWidth(this.#config)]);
    fetches[pruningOutputs.leavingResidual] = floats(residual, [1, tokens, hiddenSize]);
    return fetches;
  }

  /** The tokens that entered a layer, up to the one that the rows do not pass, from what the run returned. */
  entered(layer: number, results: Readonly<Record<string, Tensor>>): Int32Array {
    const { tokens, from } = this.#rows;
    if (layer === from) return tokens;
    const rows = results[pruningOutputs.entering(layer)]!.data as BigInt64Array;
    return Int32Array.from(rows, (row) => tokens[Number(row)]!);
  }

  #passes(layer: number): boolean {
    return layer >= this.#rows.from && layer < this.#rows.to;
  }

  #places(identityRow: number): Feeds {
    const { heads, kvHeads } = this.#config;
    const { before, tokens } = this.#rows;
    const count = tokens.length;
    const group = heads / kvHeads;
    const { parents } = rowPlaces(1, count, undefined);
    const mask = new Float32Array(count * (before + count));
    visibilityMask([before], { parents, depths: tokens }, before, mask);
    const positions = new BigInt64Array(kvHeads * (group + 2) * count);
    const rotary = { identity: identityRow, firstQuery: identityRow + 1 };
    rotaryPositions([0], { parents, depths: tokens }, group, rotary, positions);
    return {
      [decoderInputs.mask]: floats(mask, [count, before + count]),
      [decoderInputs.positions]: integers(positions, [kvHeads, (group + 2) * count]),
    };
  }

  #schedule(): Feeds {
    const { layers } = this.#config;
    const { from, entering, staying, isFixed, joining } = this.#rows;
    const fixed = isFixed.reduce((sum, flag) => sum + flag, 0);
    const flags: Readonly<Record<(typeof layerFlags)[number], (layer: number) => boolean>> = {
      attends: (layer) => this.#passes(layer),
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
function projectedWidth({ heads, kvHeads, headDim }: DecoderConfig): number {
  return (heads + 2 * kvHeads) * headDim;
}

function roomFor(config: DecoderConfig, tokens: number): WaitingRows {
  return {
    tokens,
    heads: new Float32Array(tokens * projectedWidth(config)),
    residual: new Float32Array(tokens * config.hiddenSize),
  };
}
