/** The answers of a model to a set of questions with one way of leaving fewer tokens. */

import type { TokenPruning } from '../../src/core/efficiency.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { answer } from './answers.js';
import type { Question } from './questions.js';
import { draws, type Reducer, reducedRows } from './reducers.js';

export interface Setting {
  /** Share of the tokens of an image, in (0, 1]. */
  readonly keep: number;
  readonly reducer: Reducer;
  readonly pruned: boolean;
}

export interface Result extends Setting {
  /** Tokens of an image. */
  readonly tokens: number;
  /** For each question whether it was answered right, a share where it was asked more than once. */
  readonly right: readonly number[];
  /** Mean operations of a prompt. */
  readonly flops: number;
}

/** `depth` is where pruned prompts lose their visual tokens. */
export async function measure(
  model: LoadedModel,
  questions: readonly Question[],
  { keep, reducer, pruned }: Setting,
  depth: TokenPruning,
): Promise<Result> {
  const ways = draws(reducer, keep);
  const right = questions.map(() => 0);
  let [flops, tokens] = [0, 0];
  for (let draw = 0; draw < ways; draw++) {
    for (const [i, question] of questions.entries()) {
      const rows = await reducedRows(model.vision!, question.image, keep, reducer, draw, i);
      const { isRight, promptFlops } = await answer(model, question, rows, pruned ? depth : undefined);
      if (isRight) right[i]! += 1 / ways;
      flops += promptFlops / questions.length / ways;
      tokens = rows.length / model.vision!.width;
    }
  }
  return { keep, reducer, pruned, tokens, right, flops };
}

/** Of the answers with all tokens, those that are lost, and the standard error of that: shares of 1. */
export function lossOf({ right }: Result, dense: Result): { loss: number; error: number } {
  const lost = right.map((share, i) => dense.right[i]! - share);
  const loss = mean(lost);
  const variance = mean(lost.map((value) => (value - loss) ** 2));
  return { loss, error: Math.sqrt(variance / lost.length) };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
