/** Qwen3: a Llama block that normalises each head of queries and keys before the rotary embedding. */

import type { DecoderBlock } from './decoder.js';
import { gatedMlp, groupedQueryAttention, normalizedHeads } from './layers.js';

export const qwen3: DecoderBlock = {
  attention: (context, stream) => groupedQueryAttention(context, stream, normalizedHeads),
  mlp: gatedMlp,
};
