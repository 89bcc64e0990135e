/** The feed-forward part of a layer, gated by SiLU (SwiGLU, arXiv 2002.05202). */

import type { LayerContext } from './layer-context.js';
import { gateUpMatrix, wholeMatrix } from './matrices.js';

/**
 *   x ── gate_up ── split ┬ gate ── silu ┐
 *                         └ up ──────────┴ multiply ── down
 */
export function gatedMlp({ graph, config, names, path }: LayerContext, x: string): string {
  const { hiddenSize, intermediateSize } = config;
  const both = graph.linear(`${path}/gate_up`, x, gateUpMatrix(config, names));
  const [gate, up] = graph.split([`${path}/mlp/gate`, `${path}/mlp/up`], both, 'split/gate_up', -1);
  const activated = graph.multiply(`${path}/mlp/activated`, graph.silu(`${path}/mlp/silu`, gate!), up!);
  return graph.linear(`${path}/down`, activated, wholeMatrix(names.down, hiddenSize, intermediateSize));
}
