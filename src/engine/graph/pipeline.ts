/**
 * A variant of a model is the set of openings that a batch needs. The passes run in this order, with the
 * verifier after each: openings first, because they look for `Linear` nodes, then the choice of precision.
 */

import type { Graph } from './ir.js';
import { hiddenStates } from './passes/hidden-states.js';
import { lowRank } from './passes/low-rank.js';
import type { ActivationPrecision, WeightPrecision } from './passes/lower-linear.js';
import { lowerLinear } from './passes/lower-linear.js';
import type { Pass } from './passes/pass.js';
import { verify } from './verify.js';

export interface Variant {
  /** Low-rank pairs as inputs of every layer projection. */
  readonly lowRank: boolean;
  /** Layers whose hidden states come out, numbered as in transformers. */
  readonly hiddenStates: readonly number[];
}

export const plainVariant: Variant = { lowRank: false, hiddenStates: [] };

export interface Precision {
  readonly weights: WeightPrecision;
  readonly activations: ActivationPrecision;
}

export interface GraphShape {
  readonly layers: number;
  readonly hiddenSize: number;
}

/** A short name, unique per variant, that can stand in a file name. */
export function variantName({ lowRank, hiddenStates }: Variant): string {
  const parts = [
    ...(lowRank ? ['low-rank'] : []),
    ...(hiddenStates.length > 0 ? [`hidden-${hiddenStates.join('-')}`] : []),
  ];
  return parts.length === 0 ? 'plain' : parts.join('+');
}

export function compileGraph(
  source: Graph,
  shape: GraphShape,
  variant: Variant,
  precision: Precision,
): Graph {
  return runPasses(source, passesOf(shape, variant, precision));
}

/** A graph without openings: only its precision is chosen. */
export function lowerGraph(source: Graph, { weights, activations }: Precision): Graph {
  return runPasses(source, [lowerLinear(weights, activations)]);
}

function runPasses(source: Graph, passes: readonly Pass[]): Graph {
  verify(source, 'building');
  return passes.reduce((graph, pass) => {
    const rewritten = pass.run(graph);
    verify(rewritten, pass.name);
    return rewritten;
  }, source);
}

function passesOf(shape: GraphShape, variant: Variant, { weights, activations }: Precision): Pass[] {
  return [
    ...(variant.lowRank ? [lowRank] : []),
    ...(variant.hiddenStates.length > 0
      ? [hiddenStates(variant.hiddenStates, shape.layers, shape.hiddenSize)]
      : []),
    lowerLinear(weights, activations),
  ];
}
