/**
 * Steps by the kernels of this room instead of a graph: plain forwards of a few rows of any lanes, as chains or trees,
 * pruned or not, over int4 weights. Each row gives the same bits whatever else is in the step.
 */

import type { Logits } from '../../decoding/logit-row.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { CompiledModel } from '../compiler/compiled-model.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import type { GrowingMemory } from '../kv-cache/slab-memory.js';
import { mostRows, type StepRoom, takeStepRoom } from './decoder-layout.js';
import { KernelMemory } from './kernel-memory.js';
import { compileKernels } from './kernel-set.js';
import { loadWeights } from './load-weights.js';
import { StepLogits } from './step-logits.js';
import { type KernelStep, StepWriter } from './step-writer.js';
import { Team } from './team.js';

/** Of 4 GiB, what weights may take, so that enough is left for keys and values. */
const mostWeightBytes = 2.5 * 2 ** 30;

export class KernelSteps {
  readonly #memory: KernelMemory;
  readonly #team: Team;
  readonly #writer: StepWriter;
  readonly #logits: StepLogits;

  private constructor(config: DecoderConfig, memory: KernelMemory, room: StepRoom, team: Team) {
    this.#memory = memory;
    this.#team = team;
    this.#writer = new StepWriter(config, room, memory);
    this.#logits = new StepLogits(config.vocabSize, room, memory);
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

  /**
   * Writes the new keys and values behind the end of each lane, where there must be room, and leaves it to the caller to
   * let the lanes grow. Blocks until it is done. The logits, `[logitRows, vocabSize]`, are valid until the next step.
   */
  run(step: KernelStep, cache: SlabLaneCache): Logits {
    const rows = step.lanes * step.perLane;
    if (rows > mostRows) throw new RangeError(`${rows} rows in a step, at most ${mostRows}`);
    this.#writer.write(step, cache);
    this.#team.run();
    return this.#logits.read(step.logitRows.length);
  }

  async close(): Promise<void> {
    await this.#team.close();
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
