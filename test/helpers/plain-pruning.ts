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

export interface PlainPruning {
  /** Tokens of the prompt that may be dropped. */
  readonly droppable: ReadonlySet<number>;
  readonly layers: PruningLayers;
  readonly round?: Parameters<typeof plainForward>[3];
  /** Tokens that an earlier turn dropped before a layer. */
  readonly gone?: (layer: number) => ReadonlySet<number>;
}

/**
 * `tokens` are the prompt and what follows it; only tokens of the prompt are ever dropped. Importance is computed
 * over the tokens that are left, as if the others were gone.
 */
export function plainPrunedForward(
  config: DecoderConfig,
  checkpoint: PlainCheckpoint,
  tokens: readonly number[],
  promptLength: number,
  { droppable, layers, round, gone = () => new Set() }: PlainPruning,
): PlainPruned {
  let alive = [...Array(promptLength).keys()];
  const entering: number[][] = [];
  const result = plainForward(config, checkpoint, tokens, round, {
    hidden: (layer) => {
      const before = gone(layer);
      entering[layer] = alive.filter((token) => !before.has(token));
      const left = new Set(entering[layer]);
      return new Set([...Array(promptLength).keys()].filter((token) => !left.has(token)));
    },
    scores: (layer, logits) => {
      const here = entering[layer]!;
      const among = logits.map((head) =>
        here.map((i) => here.filter((j) => j <= i).map((j) => head[i]![j]!)),
      );
      const importance = plainPageRank(among).map((value, i) => (droppable.has(here[i]!) ? value : 2));
      const visual = here.filter((token) => droppable.has(token)).length;
      const stay = here.length - visual + visualAfter(layer, droppable.size, layers);
      const kept = new Set(mostImportant(here, importance, stay));
      alive = alive.filter((token) => kept.has(token) || !here.includes(token));
    },
  });
  return { ...result, entering };
}
