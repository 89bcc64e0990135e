/** Qwen2 and Qwen2.5: a Llama block whose query, key and value projections have biases. */

import type { DecoderBlock } from './decoder.js';
import { gatedMlp, groupedQueryAttention } from './layers.js';

export const qwen2: DecoderBlock = { attention: groupedQueryAttention, mlp: gatedMlp };
