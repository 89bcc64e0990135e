/**
 * Decodes recorded answers as the engine would, without a model: greedy acceptance depends on the text alone. What
 * steps take comes from a measured curve, what drafting takes is measured.
 */

import type { DraftSourceName } from '../../src/core/efficiency.js';
import { acceptDraft } from '../../src/decoding/speculative/acceptance.js';
import { AdaptiveDrafter } from '../../src/decoding/speculative/adaptive-drafter.js';
import type { Calibrator } from '../../src/decoding/speculative/calibrator.js';
import { CostModel, type StepTiming } from '../../src/decoding/speculative/cost-model.js';
import { layOut } from '../../src/decoding/speculative/draft-rows.js';
import { DraftStores } from '../../src/decoding/speculative/draft-stores.js';
import type { Drafter } from '../../src/decoding/speculative/drafter.js';
import { Drafting } from '../../src/decoding/speculative/drafting.js';
import { Earnings, LookingPace } from '../../src/decoding/speculative/looking-pace.js';
import type { PublishedMethod } from '../../src/decoding/speculative/published/published-method.js';
import type { DraftingLane, StepPlan } from '../../src/decoding/speculative/step-plan.js';
import type { TrigramReader } from '../../src/decoding/speculative/trigram-store.js';
import type { RecordedTurn } from './recorded-turns.js';

/** What a drafter did over some turns. */
export interface Replayed {
  tokens: number;
  steps: number;
  rows: number;
  stepMs: number;
  draftMs: number;
  plainMs: number;
}

export type ReplayDrafter = (turn: RecordedTurn) => Replayed;

const nothing = (): Replayed => ({ tokens: 0, steps: 0, rows: 0, stepMs: 0, draftMs: 0, plainMs: 0 });

export const speedUp = ({ plainMs, stepMs, draftMs }: Replayed): number => plainMs / (stepMs + draftMs);

export function sum(parts: readonly Replayed[]): Replayed {
  const total = nothing();
  for (const part of parts) {
    for (const key of Object.keys(total) as (keyof Replayed)[]) total[key] += part[key];
  }
  return total;
}

/** What is taken away from the engine's own drafting, to see what it is worth. */
export interface Ablation {
  /** In place of the engine's joint one. */
  readonly calibrator?: Calibrator;
  /** Rows of every step, whatever they cost. */
  readonly rows?: number;
}

export interface AdaptiveOptions extends Ablation {
  /** What is known from the start. */
  readonly corpus?: TrigramReader;
}

/** The engine's own drafting, from the given sources; what it learns it keeps from turn to turn. */
export function adaptive(
  timings: readonly StepTiming[],
  sources: readonly DraftSourceName[],
  { calibrator, rows: fixedRows, corpus }: AdaptiveOptions = {},
): ReplayDrafter {
  const stores = new DraftStores({ bytes: 64 * 2 ** 20, historyTokens: 2 ** 20, corpus });
  const drafting = new Drafting({ timings, stores, maxRows: 64 });
  const truth = new CostModel(timings);
  return ({ prompt, answer, prediction }) => {
    const done = nothing();
    const tokens = [...prompt, answer[0]!];
    const end = prompt.length + answer.length;
    const rules = { isFinal: () => false, isBanned: () => false, allowedAfter: () => undefined };
    const request = {
      tokens,
      promptLength: prompt.length,
      prediction: prediction && [prediction],
      rules,
      maxNodes: 63,
      remember: true,
    };
    const drafter =
      calibrator === undefined
        ? drafting.begin({ ...request, method: 'adaptive', scope: '', temperature: 0, sources })
        : new AdaptiveDrafter({
            ...request,
            sources: new Set(sources),
            calibrator,
            pace: new LookingPace(new Earnings()),
            store: stores.scope(''),
            corpus,
          });
    while (tokens.length < end) {
      const startedAt = performance.now();
      const cached = tokens.length - 1;
      const lane = { drafter, anchor: tokens.at(-1)!, cached, tokensLeft: end - tokens.length };
      const plan = fixedRows === undefined ? drafting.plan([lane], 64) : planOfSize(drafter, lane, fixedRows);
      const planned = plan.lanes[0]!;
      const before = tokens.length;
      const visited = acceptDraft(planned.rows, () => takeNext(tokens, answer, prompt.length));
      const ms = truth.ms(plan.rows, cached);
      if (fixedRows === undefined) drafting.observe(plan, ms);
      const committed = tokens.slice(before);
      const outcome = { visited, committed, before: tokens[before - 2] };
      drafting.learn(planned, outcome, undefined);
      note(done, committed.length, plan.rows, ms, truth.ms(1, cached), performance.now() - startedAt);
    }
    drafter.finish();
    return done;
  };
}

/** As many of the likeliest nodes as there are, up to `size` rows. */
function planOfSize(drafter: Drafter, { anchor, cached, tokensLeft }: DraftingLane, size: number): StepPlan {
  const draft = drafter.draft(tokensLeft);
  while (draft.nodes.length < size - 1 && draft.grow());
  const rows = layOut(anchor, draft.nodes);
  const lanes = [{ rows, drafter, looked: true }];
  return { rows: rows.tokens.length, lanes, isProbe: false, draftMs: 0, context: cached };
}

/** A drafter that always drafts what it has, whatever a step costs. */
export function fixed(timings: readonly StepTiming[], method: Pick<PublishedMethod, 'draft'>): ReplayDrafter {
  const truth = new CostModel(timings);
  return ({ prompt, answer }) => {
    const done = nothing();
    const tokens = [...prompt, answer[0]!];
    while (tokens.length < prompt.length + answer.length) {
      const startedAt = performance.now();
      const cached = tokens.length - 1;
      const tree = method.draft(tokens);
      const before = tokens.length;
      const rows = {
        tokens: [tokens.at(-1)!, ...tree.tokens],
        parents: [-1, ...tree.parents.map((parent) => parent + 1)],
      };
      acceptDraft(rows, () => takeNext(tokens, answer, prompt.length));
      const width = rows.tokens.length;
      const ms = truth.ms(width, cached);
      note(done, tokens.length - before, width, ms, truth.ms(1, cached), performance.now() - startedAt);
    }
    return done;
  };
}

function takeNext(tokens: number[], answer: readonly number[], promptLength: number): number | undefined {
  const token = answer[tokens.length - promptLength]!;
  tokens.push(token);
  return tokens.length < promptLength + answer.length ? token : undefined;
}

function note(
  done: Replayed,
  tokens: number,
  rows: number,
  ms: number,
  plainMs: number,
  spentMs: number,
): void {
  done.tokens += tokens;
  done.steps++;
  done.rows += rows;
  done.stepMs += ms;
  done.plainMs += tokens * plainMs;
  done.draftMs += spentMs;
}
