/**
 * Continuous batching: every step decides who runs. All decoding lanes advance in one batch, by one token or by what
 * they drafted, and
 * at most one chunk of one prompt rides along. What does not fit in the budget waits; what stops fitting is
 * swapped out, keys and values and all, and goes on later as if nothing had happened.
 */

import type { Drafting, PlannedLane } from '../../decoding/speculative/drafting.js';
import { type Depth, deepest, mapDepth } from '../kv-cache/depth.js';
import type { PrefixCache } from '../kv-cache/prefix-cache.js';
import type { Runner } from '../runner/runner.js';
import type { Generation } from '../sequence/generation.js';
import { embeddedRows } from '../sequence/image-span.js';
import { depthOf } from '../sequence/pruning-plan.js';
import type { Sequence } from '../sequence/sequence.js';
import { DraftSteps, type RowLogits, requestOf } from './draft-steps.js';
import { LaneTable } from './lane-table.js';
import { PrefillPacer } from './prefill-pacer.js';
import { PrefillTurns } from './prefill-turns.js';
import { SlabBudget } from './slab-budget.js';
import { byRank, WaitingQueue } from './waiting-queue.js';

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

/** Tokens that every lane should be able to grow by when another one enters, so that none is evicted at once. */
const HEADROOM = 64;
/** Most rows that a lane gets in a step when it verifies a draft. */
const MAX_LANE_ROWS = 64;
/** Bound on the logits of a prompt that is being scored. */
const MAX_SCORED_FLOATS = 8 * 2 ** 20;

export class Scheduler {
  readonly counters: SchedulerCounters = {
    prefillTokens: 0,
    decodeTokens: 0,
    decodeSteps: 0,
    prefillChunks: 0,
    preemptions: 0,
    stepMs: 0,
  };
  readonly #runner: Runner;
  readonly #config: SchedulerConfig;
  readonly #prefixes: PrefixCache;
  readonly #waiting = new WaitingQueue();
  readonly #lanes: LaneTable;
  readonly #slab: SlabBudget;
  readonly #pacer: PrefillPacer;
  readonly #turns = new PrefillTurns();
  readonly #drafting: Drafting;
  readonly #drafts: DraftSteps;

  constructor(runner: Runner, prefixes: PrefixCache, drafting: Drafting, config: SchedulerConfig) {
    this.#runner = runner;
    this.#drafting = drafting;
    this.#drafts = new DraftSteps(drafting, runner.cache);
    this.#config = config;
    this.#prefixes = prefixes;
    this.#lanes = new LaneTable(runner.cache);
    this.#slab = new SlabBudget(runner.cache, config.kvCacheBytes);
    this.#pacer = new PrefillPacer(config.prefillChunk, config.maxDecodeDelayMs);
  }

  /** The longest sequence that both the model and the memory allow. */
  get longestSequence(): number {
    return Math.min(this.#runner.contextLength, this.#slab.longestSequence);
  }

  get running(): number {
    return this.#lanes.used;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Requests that have not begun. */
  get queued(): number {
    return this.#waiting.fresh;
  }

  get freeLanes(): number {
    return this.#config.maxLanes - this.#lanes.used;
  }

  get idle(): boolean {
    return this.running === 0 && this.waiting === 0;
  }

  get kvUsage(): number {
    return this.#slab.usage;
  }

  enqueue(generation: Generation): void {
    this.#waiting.push(generation.leader);
  }

  /** Throws only if the runner does; requests that fail on their own are told so. */
  async step(): Promise<void> {
    const startedAt = performance.now();
    this.#dropCancelled();
    this.#enterWaiting();
    await this.#decode();
    await this.#prefill();
    this.#slab.trim(this.#lanes.used, this.#deepest());
    this.counters.stepMs += performance.now() - startedAt;
  }

  #dropCancelled(): void {
    this.#waiting.removeCancelled();
    for (const sequence of this.#lanes.all) {
      if (sequence.generation.cancelled) this.#leave(sequence);
    }
  }

  /** Strictly in order of rank: what does not fit holds up those behind it, so that long requests get a turn. */
  #enterWaiting(): void {
    for (let next = this.#waiting.first(); next !== undefined; next = this.#waiting.first()) {
      if (!this.#mayEnter(next)) return;
      this.#waiting.shift();
      this.#enter(next);
    }
  }

  #mayEnter(sequence: Sequence): boolean {
    const { used } = this.#lanes;
    if (used === 0) return true;
    const roomy = mapDepth(deepest(this.#deepest(), wholeDepth(sequence)), (rows) =>
      Math.min(rows + HEADROOM, this.longestSequence),
    );
    return used < this.#config.maxLanes && this.#slab.fits(used + 1, roomy);
  }

  #enter(sequence: Sequence): void {
    this.#slab.reserve(this.#lanes.used + 1, deepest(this.#deepest(), wholeDepth(sequence)));
    const lane = this.#lanes.add(sequence);
    if (sequence.saved !== undefined) {
      this.#runner.cache.append(lane, sequence.saved);
      sequence.saved = undefined;
    } else {
      this.#reusePrefix(sequence, lane);
    }
    if (this.#decodes(sequence)) this.#lanes.promote(sequence);
  }

  #reusePrefix(sequence: Sequence, lane: number): void {
    const { generation } = sequence;
    const scope = generation.scoring ? undefined : generation.cacheScope;
    const tokens = beforePruning(sequence, 1);
    const blocks = scope === undefined ? [] : this.#prefixes.match(scope, tokens, generation.images);
    for (const rows of blocks) this.#runner.cache.append(lane, rows);
    generation.admit(this.#runner.cache.length(lane));
  }

  async #decode(): Promise<void> {
    this.#makeRoom((sequence) => (this.#lanes.isDecoding(sequence) ? 1 : 0));
    const batch = this.#lanes.decoding;
    if (batch.length === 0) return;
    const plan = this.#drafts.plan(batch, this.#roomRows());
    if (plan.rows > 1) this.#slab.reserve(this.#lanes.used, this.#drafted(plan.rows));
    const startedAt = performance.now();
    const logits = await this.#runner.forward({
      ...requestOf(plan),
      // A prompt that was cached up to its last token decodes that one, which may be of an image.
      embedded: batch.flatMap(({ generation, tokens }, lane) =>
        embeddedRows(generation.images, tokens.length - 1, 1, lane * plan.rows),
      ),
    });
    this.#drafting.observe(plan, performance.now() - startedAt);
    this.counters.decodeSteps++;
    let firstRow = 0;
    for (const [i, sequence] of batch.entries()) {
      const [lane, first] = [plan.lanes[i]!, firstRow];
      firstRow += lane.rows.tokens.length;
      this.#verify(sequence, lane, (row) => this.#logitRow(logits, first + row));
    }
  }

  /** Rows per lane that the slab can take without anybody making room for them. */
  #roomRows(): number {
    let rows = MAX_LANE_ROWS;
    while (rows > 1 && !this.#slab.fits(this.#lanes.used, this.#drafted(rows))) rows >>= 1;
    return rows;
  }

  /** What lanes hold while each of those that decode has so many new rows. */
  #drafted(rows: number): Depth {
    return this.#deepest((sequence) => (this.#lanes.isDecoding(sequence) ? rows : 0));
  }

  #verify(sequence: Sequence, planned: PlannedLane, logits: RowLogits): void {
    const { generation } = sequence;
    // The last token of a prompt may be computed among decoding lanes; it has no draft.
    if (!generation.promptDone) this.#acceptFirst(sequence, logits(0));
    else if (!generation.cancelled) this.#acceptDraft(sequence, planned, logits);
  }

  #acceptDraft(sequence: Sequence, planned: PlannedLane, logits: RowLogits): void {
    const { generation } = sequence;
    const lane = this.#lanes.laneOf(sequence);
    this.#guard(generation, () => {
      this.counters.decodeTokens += this.#drafts.accept(sequence, lane, planned, logits);
    });
    this.#settle(sequence);
    generation.endIfDone();
  }

  async #prefill(): Promise<void> {
    const sequence = this.#turns.next(this.#lanes.prefilling);
    if (sequence === undefined) return;
    const rows = this.#chunkRows(sequence);
    this.#makeRoom((other) => (other === sequence ? rows : 0));
    if (!this.#lanes.has(sequence)) return;
    const startedAt = performance.now();
    const prunes = this.#prunes(sequence);
    const logits = await this.#forwardChunk(sequence, rows);
    // Tokens that drop out half way would make the others look fast.
    if (!prunes) this.#pacer.measured(rows, performance.now() - startedAt);
    this.counters.prefillChunks++;
    this.counters.prefillTokens += rows;
    this.#acceptChunk(sequence, logits);
  }

  /** True when the next chunk is the rest of a prompt that drops tokens, which runs at once. */
  #prunes(sequence: Sequence): boolean {
    return sequence.generation.pruning?.first === this.#lanes.length(sequence);
  }

  #chunkRows(sequence: Sequence): number {
    if (this.#prunes(sequence)) return this.#pending(sequence);
    const paced = this.#pacer.chunk(this.#lanes.decoding.length);
    const scored = Math.max(1, Math.floor(MAX_SCORED_FLOATS / this.#runner.vocabSize));
    const chunk = sequence.generation.scoring ? Math.min(paced, scored) : paced;
    const whole = sequence.generation.pruning?.first ?? sequence.tokens.length;
    return Math.min(chunk, whole - this.#lanes.length(sequence));
  }

  /** One row of logits per row that is wanted: all while scoring, else the last one of the prompt. */
  async #forwardChunk(sequence: Sequence, rows: number): Promise<Float32Array[]> {
    const computed = this.#lanes.length(sequence);
    const { ledger } = sequence.generation;
    const pruning = this.#prunes(sequence) ? sequence.generation.pruning : undefined;
    const completes = computed + rows === sequence.tokens.length;
    const wanted = sequence.generation.scoring ? [...Array(rows).keys()] : completes ? [rows - 1] : [];
    const logits = await this.#runner.forward({
      firstLane: this.#lanes.laneOf(sequence),
      lanes: 1,
      rows,
      tokenIds: Int32Array.from(sequence.tokens.slice(computed, computed + rows)),
      logitRows: Int32Array.from(wanted),
      embedded: embeddedRows(sequence.generation.images, computed, rows),
      ...(pruning === undefined ? {} : { pruning }),
    });
    if (pruning === undefined) ledger?.addChunk(rows, computed);
    else ledger?.addPruned(pruning);
    return wanted.map((_, index) => this.#logitRow(logits, index));
  }

  #acceptChunk(sequence: Sequence, logits: readonly Float32Array[]): void {
    const { generation } = sequence;
    this.#guard(generation, () => {
      if (generation.scoring) generation.score(logits);
    });
    if (this.#pending(sequence) === 0) this.#acceptFirst(sequence, logits.at(-1)!);
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
    this.#remember(leader);
    this.#guard(generation, () => generation.acceptPrompt(logits));
    const siblings = sequences.filter((sequence) => sequence !== leader && !sequence.finished);
    if (siblings.length === 0 || generation.cancelled) return;
    const lane = this.#lanes.laneOf(leader);
    const rows = this.#runner.cache.read(lane, 0, this.#runner.cache.length(lane));
    for (const sibling of siblings) {
      sibling.saved = rows;
      this.#waiting.push(sibling);
    }
  }

  /** After a new token: out of the lane, or on with decoding. */
  #settle(sequence: Sequence): void {
    if (sequence.finished) {
      this.#remember(sequence);
      this.#leave(sequence);
    } else if (!this.#lanes.isDecoding(sequence)) {
      this.#lanes.promote(sequence);
    }
  }

  #remember(sequence: Sequence): void {
    const { cacheScope, images } = sequence.generation;
    if (cacheScope === undefined) return;
    const lane = this.#lanes.laneOf(sequence);
    this.#prefixes.store(cacheScope, beforePruning(sequence, 0), this.#runner.cache, lane, images);
  }

  /** Swaps out the last in rank until every lane can grow by what this step appends to it. */
  #makeRoom(growth: (sequence: Sequence) => number): void {
    for (;;) {
      const needed = this.#deepest(growth);
      if (this.#slab.fits(this.#lanes.used, needed)) {
        this.#slab.reserve(this.#lanes.used, needed);
        return;
      }
      this.#preempt(this.#lanes.all.sort(byRank).at(-1)!);
    }
  }

  #preempt(sequence: Sequence): void {
    const lane = this.#lanes.laneOf(sequence);
    sequence.saved = this.#runner.cache.read(lane, 0, this.#runner.cache.length(lane));
    this.#leave(sequence);
    this.#waiting.push(sequence);
    this.counters.preemptions++;
  }

  #leave(sequence: Sequence): void {
    this.#lanes.remove(sequence);
    this.#turns.forget(sequence);
  }

  /** A request whose own numbers are broken ends alone. */
  #guard(generation: Generation, action: () => void): void {
    try {
      action();
    } catch (error) {
      generation.fail(error);
    }
  }

  #deepest(growth: (sequence: Sequence) => number = () => 0): Depth {
    return this.#lanes.all
      .map((sequence) => this.#lanes.depth(sequence, growth(sequence)))
      .reduce(deepest, 0);
  }

  /** Tokens whose keys and values are still missing. */
  #pending(sequence: Sequence): number {
    return sequence.tokens.length - this.#lanes.length(sequence);
  }

  /** One missing row is a decode, also when it is the last of a prompt that was cached. */
  #decodes(sequence: Sequence): boolean {
    return this.#pending(sequence) === 1 && !sequence.generation.scoring;
  }

  #logitRow(logits: Float32Array, row: number): Float32Array {
    const { vocabSize } = this.#runner;
    return logits.subarray(row * vocabSize, (row + 1) * vocabSize);
  }
}

/** Rows in each layer when all tokens so far are computed. */
function wholeDepth({ generation, tokens }: Sequence): Depth {
  return depthOf(generation.pruning, tokens.length);
}

/** The tokens that every layer has, and `further` ones: what may be shared with requests that prune otherwise. */
function beforePruning({ generation, tokens }: Sequence, further: number): readonly number[] {
  return generation.pruning === undefined ? tokens : tokens.slice(0, generation.pruning.first + further);
}
