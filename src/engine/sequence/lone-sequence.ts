/** One sequence by itself in lane 0 of a runner that serves nobody: for what looks at a model, or measures it. */

import type { Runner } from '../runner/runner.js';
import { embeddedRows, type ImageSpan } from './image-span.js';
import type { PruningPlan } from './pruning-plan.js';

export interface LonePrompt {
  readonly ids: readonly number[];
  readonly images?: readonly ImageSpan[] | undefined;
  readonly pruning?: PruningPlan | undefined;
}

/**
 * Computes a prompt in place of whatever lane 0 held, plainly up to the first token that may be dropped. Returns the
 * logits of its last token, valid until the next call. `room` is for the tokens that will follow.
 */
export async function computePrompt(
  runner: Runner,
  { ids, images = [], pruning }: LonePrompt,
  room = 0,
): Promise<Float32Array> {
  runner.cache.resize(1, ids.length + room);
  runner.cache.truncate(0, 0);
  const first = pruning?.first ?? 0;
  if (first > 0) await runner.forward(chunk(ids.slice(0, first), [], embeddedRows(images, 0, first)));
  const rest = ids.slice(first);
  return runner.forward({
    ...chunk(rest, [rest.length - 1], embeddedRows(images, first, rest.length)),
    ...(pruning && { pruning }),
  });
}

/** Appends tokens to the sequence and returns the logits of all of them, `[tokens, vocabulary]`. */
export function computeTokens(runner: Runner, ids: readonly number[]): Promise<Float32Array> {
  return runner.forward(chunk(ids, [...ids.keys()], []));
}

const chunk = (
  ids: readonly number[],
  logitRows: readonly number[],
  embedded: ReturnType<typeof embeddedRows>,
) => ({
  firstLane: 0,
  lanes: 1,
  rows: ids.length,
  tokenIds: Int32Array.from(ids),
  logitRows: Int32Array.from(logitRows),
  embedded,
});
