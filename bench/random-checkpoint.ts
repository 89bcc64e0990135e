/**
 * Writes a Hugging Face checkpoint with seeded random weights: `tsx random-checkpoint.ts 135m [0.5b 1b]`.
 * Weights are streamed to disk in bf16, so a model of any size needs only some MiB of memory.
 */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { randomTokenizer, tokenizerJson } from './random-tokenizer.js';
import {
  checkpointFolder,
  type ModelName,
  type ModelShape,
  modelNames,
  shapes,
  weightSpecs,
} from './shapes.js';

const standardDeviation = 0.02;
const bf16One = 0x3f80;
const chunkElements = 1 << 20;

/** Writes the checkpoint unless it is there already, and returns its folder. */
export async function ensureCheckpoint(model: ModelName): Promise<string> {
  const folder = checkpointFolder(model);
  if (existsSync(join(folder, 'config.json'))) return folder;
  mkdirSync(folder, { recursive: true });
  const shape = shapes[model];
  const tokenizer = randomTokenizer(shape.vocab);
  await writeWeights(join(folder, 'model.safetensors'), shape);
  const writeJson = (name: string, value: object) =>
    writeFileSync(join(folder, name), `${JSON.stringify(value, null, 1)}\n`);
  writeJson('tokenizer.json', tokenizerJson(tokenizer));
  writeJson('tokenizer_config.json', tokenizerConfig(tokenizer.endOfText.piece, shape));
  writeJson('generation_config.json', { eos_token_id: tokenizer.endOfText.id });
  writeJson('config.json', modelConfig(shape, tokenizer.endOfText.id));
  return folder;
}

function modelConfig(shape: ModelShape, endOfText: number): object {
  const llama = shape.family === 'llama';
  return {
    architectures: [llama ? 'LlamaForCausalLM' : 'Qwen2ForCausalLM'],
    model_type: shape.family,
    vocab_size: shape.vocab,
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    ...(llama
      ? { head_dim: shape.headDim, attention_bias: false, mlp_bias: false }
      : { use_sliding_window: false }),
    hidden_act: 'silu',
    max_position_embeddings: shape.contextLength,
    rms_norm_eps: shape.normEps,
    rope_theta: shape.ropeTheta,
    tie_word_embeddings: true,
    eos_token_id: endOfText,
    torch_dtype: 'bfloat16',
  };
}

function tokenizerConfig(endOfText: string, shape: ModelShape): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    eos_token: endOfText,
    model_max_length: shape.contextLength,
    chat_template:
      "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}",
  };
}

async function writeWeights(path: string, shape: ModelShape): Promise<void> {
  const specs = weightSpecs(shape);
  const sizes = specs.map((spec) => spec.shape.reduce((product, size) => product * size, 1));
  const file = await open(path, 'w');
  try {
    await file.write(safetensorsHeader(specs, sizes));
    const random = new NormalWeights(1);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    for (const [index, spec] of specs.entries()) {
      for (let left = sizes[index]!; left > 0; left -= chunkElements) {
        const chunk = new Uint16Array(Math.min(left, chunkElements));
        if (spec.fill === 'ones') chunk.fill(bf16One);
        else random.fill(chunk);
        await file.write(new Uint8Array(chunk.buffer));
        done += chunk.length;
      }
      if (process.stderr.isTTY) process.stderr.write(`\r${path} ${((100 * done) / total).toFixed(0)} % `);
    }
    if (process.stderr.isTTY) process.stderr.write('\n');
  } finally {
    await file.close();
  }
}

function safetensorsHeader(specs: ReturnType<typeof weightSpecs>, sizes: readonly number[]): Buffer {
  let offset = 0;
  const entries = specs.map(({ name, shape }, index) => {
    const from = offset;
    offset += 2 * sizes[index]!;
    return [name, { dtype: 'BF16', shape, data_offsets: [from, offset] }] as const;
  });
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) });
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

/** Draws bf16 normal values from a table of 65,536 Box-Muller samples, indexed by a seeded xorshift32. */
class NormalWeights {
  readonly #table: Uint16Array;
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
    const samples = Float32Array.from({ length: 1 << 16 }, () => {
      const radius = Math.sqrt(-2 * Math.log((this.#next() + 1) / 2 ** 32));
      return standardDeviation * radius * Math.cos((2 * Math.PI * this.#next()) / 2 ** 32);
    });
    this.#table = Uint16Array.from(new Uint32Array(samples.buffer), (bits) => bits >>> 16);
  }

  fill(values: Uint16Array): void {
    const table = this.#table;
    for (let i = 0; i < values.length; i++) values[i] = table[this.#next() >>> 16]!;
  }

  #next(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state >>> 0;
  }
}

if (process.argv[1] === import.meta.filename) {
  const wanted = process.argv.slice(2);
  for (const model of modelNames) {
    if (wanted.length === 0 || wanted.includes(model)) console.log(await ensureCheckpoint(model));
  }
}
