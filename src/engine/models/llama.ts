/** Llama 2 and 3, SmolLM2, TinyLlama and Mistral; their differences (rope scaling, biases, sizes) are configuration. */

import type { DecoderBlock } from './decoder.js';
import { gatedMlp, groupedQueryAttention } from './layers.js';

export const llama: DecoderBlock = { attention: groupedQueryAttention, mlp: gatedMlp };
