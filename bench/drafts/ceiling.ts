/**
 * The most that any drafts can give: all of them right, each step as wide as pays best, and looking for nothing. Only
 * tokens that a guess has wrong are not drafted; each of them ends a step, which still gives it.
 */

import { CostModel, type StepTiming } from '../../src/decoding/speculative/cost-model.js';
import type { RecordedTurn } from './recorded-turns.js';

/** Deepest draft of the engine, and the anchor. */
const MOST_ROWS = 25;

/** Over all turns, how many times faster than plain steps. */
export function ceiling(timings: readonly StepTiming[], turns: readonly RecordedTurn[]): number {
  const costs = new CostModel(timings);
  const totals = turns.map((turn) => leastMs(costs, turn));
  const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return sumOf(totals.map(({ plain }) => plain)) / sumOf(totals.map(({ drafted }) => drafted));
}

function leastMs(costs: CostModel, { prompt, answer, prediction }: RecordedTurn) {
  const ms = (rows: number, place: number) => costs.ms(rows, prompt.length + place - 1);
  const isKnown = (place: number) => prediction === undefined || prediction[place] === answer[place];
  // The first token comes with the prompt. `rest[i]` is the least time for the tokens from place i on.
  const rest = new Float64Array(answer.length + MOST_ROWS + 1);
  let plain = 0;
  for (let place = answer.length - 1; place > 0; place--) {
    plain += ms(1, place);
    rest[place] = ms(1, place) + rest[place + 1]!;
    for (let rows = 2; rows <= MOST_ROWS && isKnown(place + rows - 2); rows++) {
      rest[place] = Math.min(rest[place]!, ms(rows, place) + rest[place + rows]!);
    }
  }
  return { plain, drafted: rest[1]! };
}
