/** From the architecture that a checkpoint names to the code that builds its graph. */

import type { DecoderConfig, Family } from '../checkpoint/decoder-config.js';
import type { Graph } from '../graph/ir.js';
import type { DecoderBlock } from './decoder.js';
import { buildDecoder } from './decoder.js';
import { llama } from './llama.js';
import type { Phase } from './phase.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';

const blocks: Readonly<Record<Family, DecoderBlock>> = { llama, mistral: llama, qwen2, qwen3 };

export function buildGraph(config: DecoderConfig, phase: Phase): Graph {
  return buildDecoder(config, blocks[config.family], phase);
}
