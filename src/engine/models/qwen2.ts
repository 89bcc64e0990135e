/** Qwen2 and Qwen2.5: a Llama block whose query, key and value projections have biases. */

import type { DecoderBlock } from './decoder.js';
import { gatedMlp } from './gated-mlp.js';
import { groupedQueryAttention } from './grouped-query-attention.js';

export const qwen2: DecoderBlock = { attention: groupedQueryAttention, mlp: gatedMlp };
