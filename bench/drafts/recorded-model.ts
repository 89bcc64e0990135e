/**
 * A model that says what another one once said. Its steps are its own, with all that they cost; only the likeliest
 * token of a row is that of the recorded answer, wherever the row stands on it. Rows beside it, as those of wrong drafts,
 * keep the logits of the weights. Nothing but logits carries the answer, so whoever drafts does not see it coming.
 */

import { type Logits, peakRun } from '../../src/decoding/logit-row.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import type { ForwardRequest, Runner } from '../../src/engine/runner/runner.js';
import type { RecordedTurn } from './recorded-turns.js';

/** Above all logits of random weights. */
const CERTAIN = 20;

/** The texts of the model are token ids with spaces between them; `end` is its only end token. */
export function recordedModel(model: LoadedModel, turns: readonly RecordedTurn[], end: number): LoadedModel {
  const { tokenizer } = model;
  tokenizer.encode = (text) => text.trim().split(' ').map(Number);
  return { ...model, tokenizer, runner: new RecordedRunner(model.runner, turns), eosTokenIds: [end] };
}

/** What a lane holds: the prompt until it is complete, then the turn that it belongs to. */
interface Lane {
  readonly prompt: number[];
  turn: RecordedTurn | undefined;
}

class RecordedRunner implements Runner {
  readonly #inner: Runner;
  readonly #turns: ReadonlyMap<string, RecordedTurn>;
  #lanes: Lane[] = [];

  constructor(inner: Runner, turns: readonly RecordedTurn[]) {
    this.#inner = inner;
    this.#turns = new Map(turns.map((turn) => [turn.prompt.join(), turn]));
    this.#followSwaps();
  }

  get vocabSize() {
    return this.#inner.vocabSize;
  }

  get contextLength() {
    return this.#inner.contextLength;
  }

  get shape() {
    return this.#inner.shape;
  }

  get cache() {
    return this.#inner.cache;
  }

  get rowsAreExact() {
    return this.#inner.rowsAreExact;
  }

  async forward(request: ForwardRequest): Promise<Logits> {
    const { firstLane, lanes, rows, logitRows } = request;
    const cached = Array.from({ length: lanes }, (_, i) => this.cache.length(firstLane + i));
    const logits = await this.#inner.forward(request);
    cached.forEach((length, i) => {
      this.#read(request, i, length);
    });
    logitRows.forEach((flat, at) => {
      const i = Math.floor(flat / rows);
      const next = this.#next(request, i, flat % rows, cached[i]!);
      if (next !== undefined) this.#makeCertain(logits, at, next);
    });
    return logits;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #makeCertain(logits: Logits, row: number, token: number): void {
    const runs = Math.floor(this.vocabSize / peakRun);
    const run = Math.floor(token / peakRun);
    logits[row * this.vocabSize + token] = CERTAIN;
    if (logits.peaks !== undefined && run < runs) logits.peaks[row * runs + run] = CERTAIN;
  }

  /** The rows of lane number `i` of the request, as far as they are a prompt. */
  #read({ firstLane, rows, tokenIds }: ForwardRequest, i: number, cached: number): void {
    if (cached === 0) this.#lanes[firstLane + i] = { prompt: [], turn: undefined };
    const lane = this.#lanes[firstLane + i]!;
    if (lane.turn === undefined) lane.prompt.push(...tokenIds.subarray(i * rows, (i + 1) * rows));
  }

  /** What was said behind a row; undefined beside what was said. */
  #next({ firstLane, rows, tokenIds, trees }: ForwardRequest, i: number, row: number, cached: number) {
    const lane = this.#lanes[firstLane + i]!;
    lane.turn ??= this.#turnOf(lane);
    const { prompt, answer } = lane.turn;
    if (trees === undefined) return answer[cached + row + 1 - prompt.length];
    const path = [];
    for (let at = row; at > 0; at = trees.parents[i * rows + at]!) path.push(tokenIds[i * rows + at]);
    const said = cached + 1 - prompt.length;
    const isSaid = path.reverse().every((token, depth) => token === answer[said + depth]);
    return isSaid ? answer[said + path.length] : undefined;
  }

  #turnOf({ prompt }: Lane): RecordedTurn {
    const turn = this.#turns.get(prompt.join());
    if (turn === undefined) throw new Error(`no recorded turn has this prompt of ${prompt.length} tokens`);
    return turn;
  }

  /** Lanes change places when others come and go. */
  #followSwaps(): void {
    const { cache } = this;
    const swap = cache.swap.bind(cache);
    cache.swap = (a, b) => {
      swap(a, b);
      [this.#lanes[a], this.#lanes[b]] = [this.#lanes[b]!, this.#lanes[a]!];
    };
  }
}
