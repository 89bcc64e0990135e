/**
 * How many visual tokens are left after each layer (AIM, arXiv 2412.03248, section 3.2, in the integers of its
 * code): all before layer `first`, none from layer `end - 1` on, and evenly fewer between.
 */

/** Layers counted from 0; `end` is above `first`. */
export interface PruningLayers {
  /** The first layer after which tokens are dropped. */
  readonly first: number;
  /** The first layer that no visual token enters. */
  readonly end: number;
}

/** Fractions of the depth as layers, `end` at least one layer above `first`. */
export function pruningLayers(layers: number, share: { start: number; end: number }): PruningLayers {
  const first = Math.round(share.start * layers);
  return { first, end: Math.max(first + 1, Math.round(share.end * layers)) };
}

/** Visual tokens of `visual` that are left after `layer`. */
export function visualAfter(layer: number, visual: number, { first, end }: PruningLayers): number {
  if (layer < first) return visual;
  return Math.floor((visual * Math.max(0, end - 1 - layer)) / (end - first));
}

/** Tokens that enter each of the layers, visual and protected. */
export function tokensEntering(
  layers: number,
  visual: number,
  kept: number,
  pruning: PruningLayers | undefined,
): number[] {
  return Array.from({ length: layers }, (_, layer) =>
    layer === 0 || pruning === undefined ? visual + kept : visualAfter(layer - 1, visual, pruning) + kept,
  );
}
