/**
 * Steps by the kernels of this room instead of a graph: plain forwards of a few rows of any lanes, as chains or trees,
 * pruned or not, over int4 weights. Each row gives the same bits whatever else is in the step.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { CompiledModel } from '../compiler/compiled-model.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import type { GrowingMemory } from '../kv-cache/slab-memory.js';
import type { RotaryTables } from '../models/rotary.js';
import { mostRows, type StepRoom, stripIntegers, takeStepRoom } from './decoder-layout.js';
import { KernelMemory } from './kernel-memory.js';
import { compileKernels } from './kernel-set.js';
import { loadWeights } from './load-weights.js';
import { Team } from './team.js';

/** Rows of neighbouring lanes, `perLane` each. */
export interface KernelStep {
  readonly firstLane: number;
  readonly lanes: number;
  readonly perLane: number;
  /** `[lanes, perLane]`, see `RowPlaces`. */
  readonly parents: Int32Array;
  readonly depths: Int32Array;
  readonly logitRows: Int32Array;
  readonly rotary: RotaryTables;
  /** Writes the embedding of a flat row. */
  embed(row: number, out: Float32Array): void;
}

/** Per layer, `[lanes, kvHeads, rows, headDim]`. */
interface NewRows {
  readonly newKeys: readonly Float32Array[];
  readonly newValues: readonly Float32Array[];
}

/** Views of the shared memory, valid until the next step. */
export interface KernelResult extends NewRows {
  /** `[logitRows]` of `[vocabSize]`. */
  readonly logits: readonly Float32Array[];
}

/** Of 4 GiB, what weights may take, so that enough is left for keys and values. */
const mostWeightBytes = 2.5 * 2 ** 30;

export class KernelSteps {
  readonly #config: DecoderConfig;
  readonly #memory: KernelMemory;
  readonly #room: StepRoom;
  readonly #team: Team;
  readonly #slabStart: number;
  /** By the number of rows. */
  readonly #views = new Map<number, NewRows>();

  private constructor(config: DecoderConfig, memory: KernelMemory, room: StepRoom, team: Team) {
    this.#config = config;
    this.#memory = memory;
    this.#room = room;
    this.#team = team;
    this.#slabStart = memory.slab(0).byteOffset;
  }

  /** Undefined for a model, or on a machine, that only graphs can run. */
  static async load(model: CompiledModel, threads: number): Promise<KernelSteps | undefined> {
    const { config, precision, weightBytes } = model;
    if (precision.weights !== 'int4' || precision.activations !== 'int8') return undefined;
    const isWhole = [config.hiddenSize, config.headDim].every((width) => width % 4 === 0 && width >= 8);
    if (!isWhole || weightBytes > mostWeightBytes) return undefined;
    const module = compileKernels(config);
    const memory = module && reserveMemory();
    if (module === undefined || memory === undefined) return undefined;
    const room = takeStepRoom(memory, config, threads);
    const weights = loadWeights(model, memory);
    const team = await Team.assemble(module, memory, { config, weights, room, threads });
    return new KernelSteps(config, memory, room, team);
  }

  /** For keys and values, which steps read where they lie. */
  get slab(): GrowingMemory {
    return { mostBytes: this.#memory.roomForSlab, reach: (count) => this.#memory.slab(count) };
  }

  /** Blocks until it is done; appends nothing to the cache. */
  run(step: KernelStep, cache: SlabLaneCache): KernelResult {
    const { lanes, perLane, logitRows } = step;
    const rows = lanes * perLane;
    if (rows > mostRows) throw new RangeError(`${rows} rows in a step, at most ${mostRows}`);
    this.#memory.integers(this.#room.control, 3).set([rows, perLane, logitRows.length]);
    this.#memory.integers(this.#room.asked, logitRows.length).set(logitRows);
    this.#writeRows(step, cache);
    this.#writeCache(step, cache);
    this.#team.run();
    return this.#result(step);
  }

  async close(): Promise<void> {
    await this.#team.close();
  }

  #writeRows(step: KernelStep, cache: SlabLaneCache): void {
    const { hidden, turns, sights, lists } = this.#room;
    const { firstLane, lanes, perLane, parents, depths, rotary } = step;
    const { hiddenSize, headDim } = this.#config;
    for (let row = 0; row < lanes * perLane; row++) {
      step.embed(row, this.#memory.floats(hidden.address + row * hidden.stride, hiddenSize));
      const position = cache.length(firstLane + Math.floor(row / perLane)) + depths[row]!;
      this.#writeTurns(
        position,
        rotary,
        this.#memory.floats(turns.address + row * turns.stride, 2 * headDim),
      );
      const list = lists + 4 * mostRows * row;
      const seen = depths[row]! + 1;
      writeSight(row % perLane, parents.subarray(row - (row % perLane)), this.#memory.integers(list, seen));
      this.#memory.integers(sights + 8 * row, 2).set([seen, list]);
    }
  }

  #writeTurns(position: number, { cos, sin, identity }: RotaryTables, out: Float32Array): void {
    const half = this.#config.headDim / 2;
    const rowOf = (table: Float32Array, row: number) => table.subarray(row * half, (row + 1) * half);
    const scaled = identity + 1 + position;
    out.set(rowOf(cos, scaled), 0);
    out.set(rowOf(sin, scaled), half);
    out.set(rowOf(cos, position), 2 * half);
    out.set(rowOf(sin, position), 3 * half);
  }

  #writeCache({ firstLane, lanes }: KernelStep, cache: SlabLaneCache): void {
    const { layers } = this.#config;
    const strips = this.#memory.integers(this.#room.strips, layers * stripIntegers);
    const lengths = this.#memory.integers(this.#room.lengths, layers * mostRows);
    for (let layer = 0; layer < layers; layer++) {
      const { keys, values, stride } = cache.strip(layer, firstLane);
      strips.set([this.#slabStart + keys, this.#slabStart + values, stride], layer * stripIntegers);
      for (let lane = 0; lane < lanes; lane++) {
        lengths[layer * mostRows + lane] = cache.rows(firstLane + lane, layer);
      }
    }
  }

  #result({ lanes, perLane, logitRows }: KernelStep): KernelResult {
    const { logits } = this.#room;
    return {
      logits: Array.from(logitRows, (_, i) =>
        this.#memory.floats(logits.address + i * logits.stride, this.#config.vocabSize),
      ),
      ...this.#newRows(lanes * perLane),
    };
  }

  /** Views of the new keys and values of a step, kept for the next one of as many rows. */
  #newRows(rows: number): NewRows {
    const kept = this.#views.get(rows);
    if (kept !== undefined) return kept;
    const { newKeys, newValues, layerBytes } = this.#room;
    const { layers, kvHeads, headDim } = this.#config;
    const perLayer = (address: number) =>
      Array.from({ length: layers }, (_, layer) =>
        this.#memory.floats(address + layer * layerBytes, rows * kvHeads * headDim),
      );
    const views = { newKeys: perLayer(newKeys), newValues: perLayer(newValues) };
    this.#views.set(rows, views);
    return views;
  }
}

/** Undefined where the process may not reserve the addresses. */
function reserveMemory(): KernelMemory | undefined {
  try {
    return new KernelMemory();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A row, its parent, and so on, the eldest first. */
function writeSight(row: number, parents: Int32Array, out: Int32Array): void {
  let at = row;
  for (let i = out.length - 1; i >= 0; i--) {
    out[i] = at;
    at = parents[at]!;
  }
}
