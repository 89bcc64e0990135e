/** Single steps of a runner over chosen lanes. */

import type { ModelRunner, StepExtras, StepResult } from '../../src/engine/runner/model-runner.js';
import type { Runner } from '../../src/engine/runner/runner.js';

/** Runs new tokens, the same number for each lane, and returns the logits of every one of them (a copy). */
export async function feed(
  runner: ModelRunner,
  firstLane: number,
  tokensPerLane: readonly (readonly number[])[],
  extras?: StepExtras,
): Promise<StepResult> {
  const lanes = tokensPerLane.length;
  const rows = tokensPerLane[0]!.length;
  const tokenIds = Int32Array.from(tokensPerLane.flat());
  const logitRows = Int32Array.from({ length: lanes * rows }, (_, i) => i);
  const request = { firstLane, lanes, rows, tokenIds, logitRows };
  const { logits, opened } = await runner.step(request, extras);
  return { logits: logits.slice(), opened };
}

/** Empties the cache and makes room. */
export function reset(runner: ModelRunner, lanes: number, capacity: number): void {
  runner.cache.resize(0, 0);
  runner.cache.resize(lanes, capacity);
}

/** Logits of the last token that was fed. */
export const lastRow = (runner: ModelRunner, logits: Float32Array): Float32Array =>
  logits.subarray(logits.length - runner.vocabSize);

export interface DraftTree {
  /** Token and parent of each row; −1 is the end of the cached tokens. */
  readonly tokens: readonly number[];
  readonly parents: readonly number[];
}

/** Runs a tree for each lane in one step and returns the logits of the rows that count, lane by lane (copies). */
export async function feedTrees(
  runner: Runner,
  firstLane: number,
  trees: readonly DraftTree[],
): Promise<Float32Array[]> {
  const rows = Math.max(...trees.map(({ tokens }) => tokens.length));
  const padded = (values: readonly number[], filler: number) => [
    ...values,
    ...Array<number>(rows - values.length).fill(filler),
  ];
  const logits = await runner.forward({
    firstLane,
    lanes: trees.length,
    rows,
    tokenIds: Int32Array.from(trees.flatMap(({ tokens }) => padded(tokens, 0))),
    logitRows: Int32Array.from(
      trees.flatMap(({ tokens }, lane) => tokens.map((_, row) => lane * rows + row)),
    ),
    trees: {
      counts: Int32Array.from(trees, ({ tokens }) => tokens.length),
      parents: Int32Array.from(trees.flatMap(({ parents }) => padded(parents, -1))),
    },
  });
  let from = 0;
  return trees.map(({ tokens }) => {
    const to = from + tokens.length * runner.vocabSize;
    const own = logits.slice(from, to);
    from = to;
    return own;
  });
}

/** The rows from the root to `row`. */
export function pathTo({ parents }: DraftTree, row: number): number[] {
  const path: number[] = [];
  for (let at = row; at >= 0; at = parents[at]!) path.unshift(at);
  return path;
}
