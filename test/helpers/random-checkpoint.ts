/** A decoder of any small shape with seeded random weights. */

import type { PlainCheckpoint, PlainTensor } from './plain-checkpoint.js';
import { seededFloats } from './seeded.js';

export interface RandomShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediate: number;
  readonly vocab: number;
  /** Weights are uniform up to this; larger ones make attention sharper. */
  readonly scale: number;
}

export function randomQwen2({
  layers,
  hidden,
  heads,
  kvHeads,
  intermediate,
  vocab,
  scale,
}: RandomShape): PlainCheckpoint {
  const tensors = new Map<string, PlainTensor>();
  const random = (name: string, ...shape: readonly number[]) => {
    const size = shape.reduce((a, b) => a * b);
    tensors.set(name, { shape, data: seededFloats(tensors.size + 1, size, scale) });
  };
  const ones = (name: string) =>
    tensors.set(name, { shape: [hidden], data: new Float32Array(hidden).fill(1) });
  const keys = (hidden / heads) * kvHeads;
  random('model.embed_tokens.weight', vocab, hidden);
  for (let layer = 0; layer < layers; layer++) {
    const path = `model.layers.${layer}`;
    ones(`${path}.input_layernorm.weight`);
    ones(`${path}.post_attention_layernorm.weight`);
    for (const [part, rows] of [
      ['q', hidden],
      ['k', keys],
      ['v', keys],
    ] as const) {
      random(`${path}.self_attn.${part}_proj.weight`, rows, hidden);
      random(`${path}.self_attn.${part}_proj.bias`, rows);
    }
    random(`${path}.self_attn.o_proj.weight`, hidden, hidden);
    random(`${path}.mlp.gate_proj.weight`, intermediate, hidden);
    random(`${path}.mlp.up_proj.weight`, intermediate, hidden);
    random(`${path}.mlp.down_proj.weight`, hidden, intermediate);
  }
  ones('model.norm.weight');
  return { tensors, config: configOf({ layers, hidden, heads, kvHeads, intermediate, vocab }) };
}

function configOf(shape: Omit<RandomShape, 'scale'>): Readonly<Record<string, unknown>> {
  return {
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    hidden_act: 'silu',
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    vocab_size: shape.vocab,
    max_position_embeddings: 512,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: true,
    use_sliding_window: false,
    eos_token_id: 0,
  };
}
