/**
 * Continuous batching: every step decides who runs. All decoding lanes advance in one batch, by one token or by what
 * they drafted, and at most one chunk of one prompt rides along. Where the parts are:
 *
 *   occupancy.ts       who is in a lane, who waits, who makes room       prefix-reuse.ts   what need not be computed
 *   prompt-chunks.ts   whose prompt goes on, and by how much             draft-steps.ts    what decoding lanes bring and take
 */

import { logitRow } from '../../decoding/logit-row.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import type { PlannedLane, RowLogits } from '../../decoding/speculative/step-plan.js';
import type { PrefixCache } from '../kv-cache/prefix-cache.js';
import type { Runner } from '../runner/runner.js';
import type { Generation } from '../sequence/generation.js';
import { embeddedRows } from '../sequence/image-span.js';
import type { Sequence } from '../sequence/sequence.js';
import { DraftSteps, requestOf } from './draft-steps.js';
import type { LaneTable } from './lane-table.js';
import { Occupancy } from './occupancy.js';
import { PrefixReuse } from './prefix-reuse.js';
import { PromptChunks } from './prompt-chunks.js';

export interface SchedulerConfig {
  readonly maxLanes: number;
  readonly prefillChunk: number;
  readonly maxDecodeDelayMs: number;
  readonly kvCacheBytes: number;
}

export interface SchedulerCounters {
  prefillTokens: number;
  decodeTokens: number;
  decodeSteps: number;
  prefillChunks: number;
  preemptions: number;
  stepMs: number;
}

export class Scheduler {
  readonly #counters = { prefillTokens: 0, decodeTokens: 0, decodeSteps: 0, prefillChunks: 0, stepMs: 0 };
  readonly #runner: Runner;
  readonly #occupancy: Occupancy;
  readonly #lanes: LaneTable;
  readonly #prefixes: PrefixReuse;
  readonly #chunks: PromptChunks;
  readonly #drafting: Drafting;
  readonly #drafts: DraftSteps;

  constructor(runner: Runner, prefixes: PrefixCache, drafting: Drafting, config: SchedulerConfig) {
    const { cache, contextLength } = runner;
    this.#runner = runner;
    this.#prefixes = new PrefixReuse(prefixes, cache);
    this.#occupancy = new Occupancy(cache, this.#prefixes, { ...config, contextLength });
    this.#lanes = this.#occupancy.lanes;
    this.#chunks = new PromptChunks(runner, this.#lanes, config);
    this.#drafting = drafting;
    this.#drafts = new DraftSteps(drafting, cache);
  }

  /** The longest sequence that both the model and the memory allow. */
  get longestSequence(): number {
    return this.#occupancy.longestSequence;
  }

  get running(): number {
    return this.#lanes.used;
  }

  get waiting(): number {
    return this.#occupancy.waiting.size;
  }

  /** Requests that have not begun. */
  get queued(): number {
    return this.#occupancy.waiting.fresh;
  }

  get freeLanes(): number {
    return this.#occupancy.freeLanes;
  }

  get idle(): boolean {
    return this.running === 0 && this.waiting === 0;
  }

  get kvUsage(): number {
    return this.#occupancy.kvUsage;
  }

  get counters(): Readonly<SchedulerCounters> {
    return { ...this.#counters, preemptions: this.#occupancy.preemptions };
  }

  enqueue(generation: Generation): void {
    this.#occupancy.waiting.push(generation.leader);
  }

  /** Throws only if the runner does; requests that fail on their own are told so. */
  async step(): Promise<void> {
    const startedAt = performance.now();
    this.#occupancy.dropCancelled();
    this.#occupancy.enterWaiting();
    await this.#decode();
    await this.#prefill();
    this.#occupancy.trim();
    this.#counters.stepMs += performance.now() - startedAt;
  }

  async #decode(): Promise<void> {
    this.#occupancy.makeRoom((sequence) => (this.#lanes.isDecoding(sequence) ? 1 : 0));
    const batch = this.#lanes.decoding;
    if (batch.length === 0) return;
    const plan = this.#drafts.plan(batch, this.#occupancy.roomRows);
    if (plan.rows > 1) this.#occupancy.reserveRows(plan.rows);
    const startedAt = performance.now();
    const logits = await this.#runner.forward({
      ...requestOf(plan),
      // A prompt that was cached up to its last token decodes that one, which may be of an image.
      embedded: batch.flatMap(({ generation, tokens }, lane) =>
        embeddedRows(generation.images, tokens.length - 1, 1, lane * plan.rows),
      ),
    });
    this.#drafting.observe(plan, performance.now() - startedAt);
    this.#counters.decodeSteps++;
    let firstRow = 0;
    for (const [i, sequence] of batch.entries()) {
      const [lane, first] = [plan.lanes[i]!, firstRow];
      firstRow += lane.rows.tokens.length;
      this.#verify(sequence, lane, (row) => logitRow(logits, first + row, this.#runner.vocabSize));
    }
  }

  #verify(sequence: Sequence, planned: PlannedLane, logits: RowLogits): void {
    const { generation } = sequence;
    // The last token of a prompt may be computed among decoding lanes; it has no draft.
    if (!generation.promptDone) this.#acceptFirst(sequence, logits(0).values);
    else if (!generation.cancelled) this.#acceptDraft(sequence, planned, logits);
  }

  #acceptDraft(sequence: Sequence, planned: PlannedLane, logits: RowLogits): void {
    const { generation } = sequence;
    const lane = this.#lanes.laneOf(sequence);
    guard(generation, () => {
      this.#counters.decodeTokens += this.#drafts.accept(sequence, lane, planned, logits);
    });
    this.#settle(sequence);
    generation.endIfDone();
  }

  async #prefill(): Promise<void> {
    const chunk = this.#chunks.next();
    if (chunk === undefined) return;
    const { sequence, rows } = chunk;
    this.#occupancy.makeRoom((other) => (other === sequence ? rows : 0));
    if (!this.#lanes.has(sequence)) return;
    const logits = await this.#chunks.forward(chunk);
    this.#counters.prefillChunks++;
    this.#counters.prefillTokens += rows;
    this.#acceptChunk(sequence, logits);
  }

  #acceptChunk(sequence: Sequence, logits: readonly Float32Array[]): void {
    const { generation } = sequence;
    guard(generation, () => {
      if (generation.scoring) generation.score(logits);
    });
    if (this.#occupancy.pending(sequence) === 0) this.#acceptFirst(sequence, logits.at(-1)!);
    else if (this.#lanes.length(sequence) === sequence.tokens.length) {
      this.#prefixes.leave(sequence, this.#lanes.laneOf(sequence));
    }
  }

  /** `logits` follow the last token of the prompt. */
  #acceptFirst(sequence: Sequence, logits: Float32Array): void {
    const { generation } = sequence;
    if (generation.cancelled) return;
    this.#acceptPrompt(generation, logits);
    this.#settle(sequence);
    generation.endIfDone();
  }

  #acceptPrompt(generation: Generation, logits: Float32Array): void {
    const { leader, sequences } = generation;
    const lane = this.#lanes.laneOf(leader);
    this.#prefixes.leave(leader, lane);
    guard(generation, () => generation.acceptPrompt(logits));
    const siblings = sequences.filter((sequence) => sequence !== leader && !sequence.finished);
    if (siblings.length === 0 || generation.cancelled) return;
    const rows = this.#runner.cache.read(lane, 0, this.#runner.cache.length(lane));
    for (const sibling of siblings) {
      sibling.saved = rows;
      this.#occupancy.waiting.push(sibling);
    }
  }

  /** After a new token: out of the lane, or on with decoding. */
  #settle(sequence: Sequence): void {
    if (sequence.finished) {
      this.#prefixes.leave(sequence, this.#lanes.laneOf(sequence));
      this.#lanes.remove(sequence);
    } else if (!this.#lanes.isDecoding(sequence)) {
      this.#lanes.promote(sequence);
    }
  }
}

/** A request whose own numbers are broken ends alone. */
function guard(generation: Generation, action: () => void): void {
  try {
    action();
  } catch (error) {
    generation.fail(error);
  }
}
