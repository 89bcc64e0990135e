/** Prompts in chunks: whose turn it is, how many rows the chunk may have, and its forward. */

import type { Runner } from '../runner/runner.js';
import { embeddedRows } from '../sequence/image-span.js';
import type { Sequence } from '../sequence/sequence.js';
import type { LaneTable } from './lane-table.js';
import { PrefillPacer } from './prefill-pacer.js';
import { PrefillTurns } from './prefill-turns.js';

export interface PromptChunk {
  readonly sequence: Sequence;
  /** 0 if only the layers that prune are left, which all tokens pass at once. */
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
      ...(pruning === undefined ? {} : { pruning }),
    });
    const share = pruning === undefined ? 1 : pruning.layers.first / this.#runner.shape.layers;
    if (rows > 0 && share > 0) this.#pacer.measured(rows * share, performance.now() - startedAt);
    if (pruning !== undefined && rows === 0) generation.ledger?.addUpper();
    else generation.ledger?.addChunk(rows, computed, pruning === undefined ? 'all' : 'lower');
    const { vocabSize } = this.#runner;
    return wanted.map((_, row) => logits.subarray(row * vocabSize, (row + 1) * vocabSize));
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
