/** A checkpoint that is large next to a process, for tests of memory: two wide layers, bf16, its bytes repeating. */

import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { safetensorsBytes } from './safetensors-bytes.js';
import { seededFloats } from './seeded.js';

const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 4096,
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 2,
  num_attention_heads: 16,
  num_key_value_heads: 16,
  head_dim: 64,
  hidden_act: 'silu',
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: true,
  attention_bias: false,
  mlp_bias: false,
  eos_token_id: 0,
};

/** Returns the bytes that the weights would take in float32. */
export function writeBroadCheckpoint(folder: string): number {
  const tensors = shapes().map(([name, shape]) => ({ name, shape, bytes: 2 * product(shape) }));
  let offset = 0;
  const header = Object.fromEntries(
    tensors.map(({ name, shape, bytes }) => {
      offset += bytes;
      return [name, { dtype: 'BF16', shape, data_offsets: [offset - bytes, offset] }];
    }),
  );
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const fd = openSync(join(folder, 'model.safetensors'), 'w');
  writeSync(fd, safetensorsBytes(header, new Uint8Array(0)));
  const weights = smallNumbers(1 << 20);
  for (const { bytes } of tensors) {
    for (let left = bytes; left > 0; left -= weights.length) {
      writeSync(fd, weights, 0, Math.min(left, weights.length));
    }
  }
  closeSync(fd);
  return 2 * offset;
}

function shapes(): [string, number[]][] {
  const { hidden_size: hidden, intermediate_size: inner } = config;
  const layer = (path: string): [string, number[]][] => [
    [`${path}.input_layernorm.weight`, [hidden]],
    ...['q', 'k', 'v', 'o'].map((part): [string, number[]] => [
      `${path}.self_attn.${part}_proj.weight`,
      [hidden, hidden],
    ]),
    [`${path}.post_attention_layernorm.weight`, [hidden]],
    [`${path}.mlp.gate_proj.weight`, [inner, hidden]],
    [`${path}.mlp.up_proj.weight`, [inner, hidden]],
    [`${path}.mlp.down_proj.weight`, [hidden, inner]],
  ];
  return [
    ['model.embed_tokens.weight', [config.vocab_size, hidden]],
    ...Array.from({ length: config.num_hidden_layers }, (_, i) => layer(`model.layers.${i}`)).flat(),
    ['model.norm.weight', [hidden]],
  ];
}

function smallNumbers(bytes: number): Uint8Array {
  const floats = new Uint32Array(seededFloats(7, bytes / 2, 0.05).buffer);
  return new Uint8Array(Uint16Array.from(floats, (bits) => bits >>> 16).buffer);
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
