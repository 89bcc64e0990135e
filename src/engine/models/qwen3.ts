/** Qwen3: a Llama block that normalises each head of queries and keys before the rotary embedding. */

import { normalizedHeads } from './attention-heads.js';
import type { DecoderBlock } from './decoder.js';
import { gatedMlp } from './gated-mlp.js';
import { groupedQueryAttention } from './grouped-query-attention.js';

export const qwen3: DecoderBlock = {
  attention: (context, stream) => groupedQueryAttention(context, stream, normalizedHeads),
  mlp: gatedMlp,
};
