/**
 * What it costs to look for drafts and to learn from what came, in microseconds a step: recorded answers are replayed
 * without a model, and the caches swept where the model would run, since each step of one reads all its weights.
 * `tsx draft-looking.ts <questions.jsonl> <answers.jsonl>`; the files are those of `draft-verification.ts`.
 */

import llama from 'llama-tokenizer-js';
import { draftSources } from '../src/core/efficiency.js';
import { argmax } from '../src/decoding/argmax.js';
import { type LogitRow, peakRun } from '../src/decoding/logit-row.js';
import { acceptDraft } from '../src/decoding/speculative/acceptance.js';
import { CostModel, type StepTiming } from '../src/decoding/speculative/cost-model.js';
import { DraftStores } from '../src/decoding/speculative/draft-stores.js';
import type { Drafter } from '../src/decoding/speculative/drafter.js';
import { Drafting } from '../src/decoding/speculative/drafting.js';
import type { PlannedLane } from '../src/decoding/speculative/step-plan.js';
import { type RecordedTurn, readRecordedTurns } from './drafts/recorded-turns.js';
import { quantile } from './statistics.js';
import { formatTable } from './table.js';

const ROOM_ROWS = 64;
/** Steps before the measured ones, in which code gets fast and stores fill. */
const WARM_UP = 4000;
const STEPS = 800;
const VOCABULARY = 32_000;
/** What steps of 135M parameters in int4 take on two cores. */
const timings = Object.entries({ 1: 3.3, 2: 4, 4: 5.5, 8: 7.5, 16: 13, 32: 25, 64: 48 }).map(
  ([rows, ms]): StepTiming => ({ rows: Number(rows), context: 64, ms }),
);
const sweptBytes = 64 * 2 ** 20;
const swept = new Float64Array(sweptBytes / 8);
const lineLength = 8;

const [questions, answers] = process.argv.slice(2);
const turns = readRecordedTurns(questions!, answers!, (text) => llama.encode(text, false, true));

/** Reads through more than the caches near a core hold; the sum keeps the loop from being dropped. */
function sweepCaches(): number {
  let sum = 0;
  for (let at = 0; at < swept.length; at += lineLength) sum += swept[at]!;
  return sum;
}

/** With its peaks, as the kernels leave it. */
function randomLogits(): LogitRow {
  const values = Float32Array.from({ length: VOCABULARY }, () => Math.random());
  const peaks = Float32Array.from({ length: VOCABULARY / peakRun }, (_, run) =>
    Math.max(...values.subarray(run * peakRun, (run + 1) * peakRun)),
  );
  return { values, peaks };
}

/** A sequence that is answered as recorded, and after it the next one. */
class ReplayedLane {
  readonly logits = randomLogits();
  readonly #open: (turn: RecordedTurn, tokens: readonly number[]) => Drafter | undefined;
  #next: number;
  #turn!: RecordedTurn;
  #tokens: number[] = [];
  #drafter: Drafter | undefined;

  constructor(first: number, open: (turn: RecordedTurn, tokens: readonly number[]) => Drafter | undefined) {
    this.#next = first;
    this.#open = open;
    this.#begin();
  }

  get asked() {
    const { length } = this.#tokens;
    const tokensLeft = this.#end - length;
    return { drafter: this.#drafter, anchor: this.#tokens.at(-1)!, cached: length - 1, tokensLeft };
  }

  /** Takes what was recorded, and says what came of the rows. */
  accept({ rows }: PlannedLane) {
    const before = this.#tokens.length;
    const visited = acceptDraft(rows, () => {
      argmax(this.logits.values, this.logits.peaks);
      const token = this.#turn.answer[this.#tokens.length - this.#turn.prompt.length]!;
      this.#tokens.push(token);
      return this.#tokens.length < this.#end ? token : undefined;
    });
    return { visited, committed: this.#tokens.slice(before), before: this.#tokens[before - 2] };
  }

  settle(): void {
    if (this.#tokens.length < this.#end) return;
    this.#drafter?.finish();
    this.#begin();
  }

  get #end(): number {
    return this.#turn.prompt.length + this.#turn.answer.length;
  }

  #begin(): void {
    this.#turn = turns[this.#next++ % turns.length]!;
    this.#tokens = [...this.#turn.prompt, this.#turn.answer[0]!];
    this.#drafter = this.#open(this.#turn, this.#tokens);
    if (this.#turn.answer.length < 2) this.#begin();
  }
}

interface Spent {
  readonly planUs: number[];
  readonly learnUs: number[];
}

/** What lanes do: draft, draft and have rows of logits ranked, which keeps to a budget of its own, or neither. */
const ways = ['drafting', 'drafting, ranking', 'plain'] as const;

function replay(count: number, way: (typeof ways)[number]): Spent {
  const drafting = new Drafting({
    timings,
    stores: new DraftStores({ bytes: 64 * 2 ** 20, historyTokens: 2 ** 20 }),
    maxRows: ROOM_ROWS,
  });
  const rules = { isFinal: () => false, isBanned: () => false, allowedAfter: () => undefined };
  const open = ({ prompt }: RecordedTurn, tokens: readonly number[]) =>
    drafting.begin({
      ...{ tokens, rules, promptLength: prompt.length, prediction: undefined, scope: '', temperature: 0 },
      ...{ method: 'adaptive', sources: draftSources, maxNodes: ROOM_ROWS - 1, remember: true },
    });
  const lanes = Array.from(
    { length: count },
    (_, lane) => new ReplayedLane(lane * 40, way === 'plain' ? () => undefined : open),
  );
  const truth = new CostModel(timings);
  const spent: Spent = { planUs: [], learnUs: [] };
  for (let step = 0; step < WARM_UP + STEPS; step++) {
    const isMeasured = step >= WARM_UP;
    const asked = lanes.map((lane) => lane.asked);
    if (isMeasured) sweepCaches();
    const plannedAt = performance.now();
    const plan = drafting.plan(asked, ROOM_ROWS);
    const planMs = performance.now() - plannedAt;
    if (isMeasured) sweepCaches();
    const outcomes = lanes.map((lane, i) => lane.accept(plan.lanes[i]!));
    const learntAt = performance.now();
    drafting.observe(plan, truth.ms(plan.rows * count, plan.context));
    for (const [i, lane] of plan.lanes.entries()) {
      const logits = way === 'drafting' ? undefined : () => lanes[i]!.logits;
      drafting.learn(lane, outcomes[i]!, logits);
    }
    const learnMs = performance.now() - learntAt;
    for (const lane of lanes) lane.settle();
    // Where looking does not pay it pauses.
    if (!isMeasured || (way !== 'plain' && !plan.lanes.some(({ looked }) => looked))) continue;
    spent.planUs.push(1000 * planMs);
    spent.learnUs.push(1000 * learnMs);
  }
  return spent;
}

const figures = ways.flatMap((way) =>
  [1, 4].map((lanes) => {
    const { planUs, learnUs } = replay(lanes, way);
    const [plan, learn] = [planUs, learnUs].map((us) => ({
      median: quantile(us, 0.5),
      p90: quantile(us, 0.9),
    }));
    return { lanes, way, plan: plan!, learn: learn! };
  }),
);
console.log(
  formatTable(
    ['µs a step', 'plan, median', 'p90', 'observe and learn, median', 'p90'],
    figures.map(({ lanes, way, plan, learn }) => [
      `${lanes} ${way}`,
      ...[plan.median, plan.p90, learn.median, learn.p90].map((us) => us.toFixed(1)),
    ]),
  ),
);
console.log(JSON.stringify({ bench: 'draft-looking', figures }));
