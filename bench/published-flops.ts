/**
 * The cost formulas of the two papers, which count other things than the engine does. They tie the engine's
 * figures to the published ones; a receipt never uses them.
 */

import type { DecoderShape } from '../src/engine/visual-tokens/flops.js';

type LayeredShape = DecoderShape & { readonly layers: number };

/**
 * AIM (arXiv 2412.03248), after LLM-Viewer: `tokens` are those left after each layer. `elementwise` operations per
 * token and width are 17 for Qwen2 and 18 for Vicuna.
 */
export function aimPublishedFlops(
  { hiddenSize: d, intermediateSize, heads, kvHeads, headDim, vocabSize }: DecoderShape,
  tokens: readonly number[],
  elementwise: number,
): number {
  const perToken = 2 * (2 * d * d + 2 * d * kvHeads * headDim + 3 * d * intermediateSize) + elementwise * d;
  const layers = tokens.map((s) => s * perToken + 4 * s * s * d + 5 * heads * s * s);
  return layers.reduce((sum, flops) => sum + flops, d * vocabSize);
}

/** γ-MoD (arXiv 2410.13859): four layers run all tokens, the others `1 - skip` of them. */
export function modPublishedFlops(
  { hiddenSize: d, intermediateSize, layers }: LayeredShape,
  tokens: number,
  skip: number,
): number {
  const layer = (s: number) => 8 * s * d * d + 4 * s * s * d + 6 * s * d * intermediateSize;
  return 4 * layer(tokens) + (layers - 4) * layer(Math.floor(tokens * (1 - skip)));
}
