/**
 * The importance of tokens from the attention of one layer (AIM, arXiv 2412.03248, section 3.2, as its code
 * computes it): five steps of page rank without damping over attention at temperature 0.1, then the root mean
 * square over heads.
 */

import type { GraphBuilder } from '../graph/builder.js';

const steps = 5;
/** One over the temperature. */
export const sharpening = 10;

/** Constants that all layers share; to be declared once. */
export function declarePageRank(graph: GraphBuilder): void {
  graph.scalar('page_rank/sharpening', sharpening);
  graph.constant('axis/first', [0]);
  graph.constant('axis/second', [1]);
  graph.constant('end', [2 ** 31 - 1]);
  graph.constant('shape/list', [-1]);
}

/**
 * What one head thinks of the tokens, squared, `[t]`.
 *
 *   scores [t, c+t] ── ·10 ── softmax ── M ─┬─ mean over queries ── new keys ── u [1, t]
 *                                           └─ u·M ── new keys ── u, four times more ── square
 *
 * Mass only moves to earlier tokens, so what reaches the `past [1]` cached ones never comes back and is dropped:
 * the ranking of the new tokens stays as if all of them had been computed together.
 */
export function pageRank(graph: GraphBuilder, path: string, scores: string, past: string): string {
  const sharp = graph.multiply(`${path}/sharp`, scores, 'page_rank/sharpening');
  const flow = graph.softmax(`${path}/flow`, sharp);
  const onNew = (step: number, mass: string): string =>
    graph.slice(`${path}/mass_${step}`, mass, past, 'end', 'axis/second');
  let mass = onNew(1, graph.reduceMean(`${path}/moved_1`, flow, 'axis/first'));
  for (let step = 2; step <= steps; step++) {
    mass = onNew(step, graph.matmul(`${path}/moved_${step}`, mass, flow));
  }
  return graph.reshape(`${path}/squares`, graph.multiply(`${path}/square`, mass, mass), 'shape/list');
}

/** The root of the mean over the heads: `squares [H, t]` to `[t]`. */
export function importance(graph: GraphBuilder, path: string, squares: string): string {
  const mean = graph.reduceMean(`${path}/mean_square`, squares, 'axis/first');
  return graph.reshape(`${path}/importance`, graph.sqrt(`${path}/root`, mean), 'shape/list');
}
