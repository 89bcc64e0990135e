/** Prompts in chunks: whose turn it is, how many rows the chunk may have, and its forward. */

import type { Runner } from '../runner/runner.js';
import { embeddedRows } from '../sequence/image-span.js';
import type { PruningPlan } from '../sequence/pruning-plan.js';
import type { Sequence } from '../sequence/sequence.js';
import type { LaneTable } from './lane-table.js';
import { PrefillPacer } from './prefill-pacer.js';
import { PrefillTurns } from './prefill-turns.js';

export interface PromptChunk {
  readonly sequence: Sequence;
  /** 0 if only layers are left that all tokens pass at once. */
  readonly rows: number;
}

/** Bound on the logits of a prompt that is being scored. */
const MAX_SCORED_FLOATS = 8 * 2 ** 20;

export class PromptChunks {
  readonly #runner: Runner;
  readonly #lanes: LaneTable;
  readonly #pacer: PrefillPacer;
  readonly #turns = new PrefillTurns();

  constructor(runner: Runner, lanes: LaneTable, pace: { prefillChunk: number; maxDecodeDelayMs: number }) {
    this.#runner = runner;
    this.#lanes = lanes;
    this.#pacer = new PrefillPacer(pace.prefillChunk, pace.maxDecodeDelayMs);
  }

  /** Undefined if no prompt is being computed. */
  next(): PromptChunk | undefined {
    const sequence = this.#turns.next(this.#lanes.prefilling);
    return sequence && { sequence, rows: this.#rows(sequence) };
  }

  /** One row of logits `[vocab]` per row that is wanted: all while scoring, else the last one of the prompt. */
  async forward({ sequence, rows }: PromptChunk): Promise<Float32Array[]> {
    const { generation, tokens } = sequence;
    const computed = this.#lanes.length(sequence);
    const pruning = this.#prunes(sequence) ? generation.pruning : undefined;
    const completes = pruning === undefined ? computed + rows === tokens.length : rows === 0;
    const last = Math.max(0, rows - 1);
    const wanted = generation.scoring ? [...Array(rows).keys()] : completes ? [last] : [];
    const startedAt = performance.now();
    const logits = await this.#runner.forward({
      firstLane: this.#lanes.laneOf(sequence),
      lanes: 1,
      rows,
      tokenIds: Int32Array.from(tokens.slice(computed, computed + rows)),
      logitRows: Int32Array.from(wanted),
      embedded: embeddedRows(generation.images, computed, rows),
      ...(pruning === undefined ? {} : { pruning: { ...pruning, mostLayers: this.#layers(tokens.length) } }),
    });
    this.#record(sequence, rows, pruning, performance.now() - startedAt);
    const { vocabSize } = this.#runner;
    return wanted.map((_, row) => logits.subarray(row * vocabSize, (row + 1) * vocabSize));
  }

  #record(sequence: Sequence, rows: number, pruning: PruningPlan | undefined, ms: number): void {
    const { ledger } = sequence.generation;
    const share = pruning === undefined ? 1 : pruning.layers.first / this.#runner.shape.layers;
    if (rows * share > 0) this.#pacer.measured(rows * share, ms);
    const past = this.#lanes.length(sequence) - rows;
    if (rows > 0) ledger?.addChunk(rows, past, pruning === undefined ? 'all' : 'lower');
    else if (this.#lanes.complete(sequence) === sequence.tokens.length) ledger?.addUpper();
  }

  /** Layers that a prompt of `tokens` may pass at once: as much work as a chunk that passes all of them. */
  #layers(tokens: number): number {
    const decoding = this.#lanes.decoding.length;
    const { layers } = this.#runner.shape;
    if (decoding === 0) return layers;
    return Math.max(1, Math.floor((this.#pacer.chunk(decoding) * layers) / tokens));
  }

  /** True from the first token on that may be dropped. */
  #prunes(sequence: Sequence): boolean {
    const { pruning } = sequence.generation;
    return pruning !== undefined && this.#lanes.length(sequence) >= pruning.first;
  }

  #rows(sequence: Sequence): number {
    const { generation, tokens } = sequence;
    const computed = this.#lanes.length(sequence);
    const paced = this.#pacer.chunk(this.#lanes.decoding.length);
    const scored = Math.max(1, Math.floor(MAX_SCORED_FLOATS / this.#runner.vocabSize));
    const chunk = generation.scoring ? Math.min(paced, scored) : paced;
    const end = this.#prunes(sequence) ? tokens.length : (generation.pruning?.first ?? tokens.length);
    return Math.min(chunk, end - computed);
  }
}
