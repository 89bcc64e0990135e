/** Llama 2 and 3, SmolLM2, TinyLlama and Mistral; their differences (rope scaling, biases, sizes) are configuration. */

import type { DecoderBlock } from './decoder.js';
import { gatedMlp } from './gated-mlp.js';
import { groupedQueryAttention } from './grouped-query-attention.js';

export const llama: DecoderBlock = { attention: groupedQueryAttention, mlp: gatedMlp };
