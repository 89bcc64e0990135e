/** Attention whose query heads share keys and values in groups (arXiv 2305.13245), in all graphs of a decoder. */

import { byHead, byToken, rotated } from './attention-heads.js';
import { attend } from './cached-attention.js';
import type { Attended, HeadRows, LayerContext, LayerRows, Stream } from './layer-context.js';
import { attentionRows, wholeMatrix } from './matrices.js';

/**
 *   x [b, t, width] ── qkv ── [b, t, h, g+2, d] ── [b, h, (g+2)·t, d] ── rotary ── q [b, h, g·t, d]
 *                                                                              ├─ k [b, h, t, d] ── out
 *                                                                              └─ v [b, h, t, d] ── out
 *   q, k, v, past ── attention ── [b, h, g·t, d] ── [b, t, h·g·d] ── output projection
 *
 * Where heads are sequences, `[b, h, …]` is `[n, 1, …]` instead, which is the same memory.
 *
 * The positions of values select a row of the rotary tables with cos 1 and sin 0, which leaves them as they are.
 */
export function groupedQueryAttention(
  context: LayerContext,
  { normed, residual }: Stream,
  prepareHeads: (context: LayerContext, heads: string) => string = (_, heads) => heads,
): Attended {
  const { graph, config, names, path, rows, pruned } = context;
  const qkv = graph.linear(`${path}/qkv`, normed, attentionRows(config, names));
  const turn = (projected: string, entering: LayerRows): HeadRows => {
    const turned = { ...context, rows: entering };
    return rotated(turned, prepareHeads(turned, byHead(turned, projected)));
  };
  const left = pruned?.attend({ qkv, residual }, turn) ?? {
    mixed: byToken(context, attend(context, turn(qkv, rows))),
    residual,
  };
  const projection = wholeMatrix(names.o, config.hiddenSize, config.heads * config.headDim);
  return {
    output: graph.linear(`${path}/attention_out`, left.mixed, projection),
    residual: left.residual,
  };
}
