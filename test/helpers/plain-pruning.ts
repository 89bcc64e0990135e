/**
 * Pruning written a second time: no token is removed, those that were dropped are only hidden from the others. What
 * is left is what a run that removes them should have computed.
 */

import type { DecoderConfig } from '../../src/engine/checkpoint/decoder-config.js';
import type { PruningLayers } from '../../src/engine/visual-tokens/pruning-schedule.js';
import { visualAfter } from '../../src/engine/visual-tokens/pruning-schedule.js';
import type { PlainCheckpoint } from './plain-checkpoint.js';
import { type PlainResult, plainForward } from './plain-decoder.js';
import { mostImportant, plainPageRank } from './plain-page-rank.js';

export interface PlainPruned extends PlainResult {
  /** Prompt tokens that enter each layer. */
  readonly entering: readonly (readonly number[])[];
}

/**
 * `tokens` are the prompt and what follows it; only `droppable` tokens of the prompt are ever dropped. Importance is
 * computed over the tokens that are left, as if the others were gone.
 */
export function plainPrunedForward(
  config: DecoderConfig,
  checkpoint: PlainCheckpoint,
  tokens: readonly number[],
  promptLength: number,
  droppable: ReadonlySet<number>,
  pruning: PruningLayers,
  round?: Parameters<typeof plainForward>[3],
): PlainPruned {
  let alive = [...Array(promptLength).keys()];
  const entering: number[][] = [];
  const result = plainForward(config, checkpoint, tokens, round, {
    hidden: (layer) => {
      entering[layer] = alive;
      const left = new Set(alive);
      return new Set([...Array(promptLength).keys()].filter((token) => !left.has(token)));
    },
    scores: (layer, logits) => {
      const among = logits.map((head) =>
        alive.map((i) => alive.filter((j) => j <= i).map((j) => head[i]![j]!)),
      );
      const importance = plainPageRank(among).map((value, i) => (droppable.has(alive[i]!) ? value : 2));
      const visual = visualAfter(layer, droppable.size, pruning);
      alive = mostImportant(alive, importance, promptLength - droppable.size + visual);
    },
  });
  return { ...result, entering };
}
