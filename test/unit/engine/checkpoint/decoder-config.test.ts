import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TrimtabError } from '../../../../src/core/errors.js';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import type { DecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { parseDecoderConfig, readDecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { decoderTensorNames } from '../../../../src/engine/checkpoint/decoder-tensors.js';
import { checkpointFixtureNames, loadCheckpointFixture } from '../../../helpers/checkpoint-fixture.js';
import { safetensorsBytes, temporaryFolder } from '../../../helpers/safetensors-bytes.js';

type Keys = Record<string, unknown>;

const llama: Keys = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 300,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
};

const parse = (config: Keys, generationConfig: Keys = {}) =>
  parseDecoderConfig({ folder: '/model', config, generationConfig });

function refusal(run: () => unknown): TrimtabError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(TrimtabError);
    return error as TrimtabError;
  }
  throw new Error('expected a refusal');
}

/** Opens a reference checkpoint under another configuration. */
function readWith(name: string, changes: Keys): DecoderConfig {
  const folder = join(temporaryFolder(), name);
  cpSync(loadCheckpointFixture(name).folder, folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...changes }));
  const checkpoint = openCheckpoint(folder);
  try {
    return readDecoderConfig(checkpoint);
  } finally {
    checkpoint.close();
  }
}

describe('reading the architecture', () => {
  test.each(checkpointFixtureNames)('accepts %s, whose tensors are exactly those of its names', (name) => {
    const checkpoint = openCheckpoint(loadCheckpointFixture(name).folder);
    const names = decoderTensorNames(readDecoderConfig(checkpoint));
    const layers = names.layers.flatMap((layer) => Object.values(layer) as (string | object | undefined)[]);
    const flat = layers.flatMap((value) => (typeof value === 'object' ? Object.values(value) : [value]));
    const all = [names.embedding, names.finalNorm, names.head, ...flat].filter((one) => one !== undefined);
    expect(new Set(all)).toEqual(new Set(checkpoint.tensors.keys()));
    checkpoint.close();
  });

  test('gives the same for keys of transformers 4 and 5', () => {
    const scaling = {
      factor: 32,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 128,
    };
    const four = {
      rope_theta: 500_000,
      rope_scaling: { type: 'llama3', ...scaling },
      torch_dtype: 'bfloat16',
    };
    const five = {
      rope_parameters: { rope_theta: 500_000, rope_type: 'llama3', ...scaling },
      dtype: 'bfloat16',
    };
    expect(parse({ ...llama, ...five })).toEqual(parse({ ...llama, ...four }));
    expect(parse({ ...llama, ...four })).toMatchObject({
      ropeTheta: 500_000,
      ropeScaling: { type: 'llama3', factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalContext: 128 },
    });
  });

  test('takes the decoder of a vision-language model, with the defaults of its family', () => {
    const text_config = { model_type: 'llama', max_position_embeddings: 4096, vocab_size: 32_064 };
    const config = parse({ model_type: 'llava', text_config });
    expect(config).toMatchObject({
      hiddenSize: 4096,
      layers: 32,
      kvHeads: 32,
      headDim: 128,
      vocabSize: 32_064,
    });
  });

  test('knows which projections have a bias in which family', () => {
    const biases = (changes: Keys) => parse({ ...llama, ...changes });
    const both = { attention_bias: true, mlp_bias: true };
    const [none, all] = [
      { qkv: false, output: false },
      { qkv: true, output: true },
    ];
    expect(biases(both)).toMatchObject({ attentionBias: all, mlpBias: true });
    expect(biases({ ...both, model_type: 'qwen3' })).toMatchObject({ attentionBias: all, mlpBias: false });
    const mistral = { ...both, model_type: 'mistral', sliding_window: null };
    expect(biases(mistral)).toMatchObject({ attentionBias: none, mlpBias: false });
    const qwen2 = biases({ model_type: 'qwen2' });
    expect(qwen2).toMatchObject({ attentionBias: { qkv: true, output: false }, mlpBias: false });
  });

  test('lets generation_config.json decide what ends a sequence', () => {
    expect(parse({ ...llama, eos_token_id: 2 }).eosTokenIds).toEqual([2]);
    expect(parse({ ...llama, eos_token_id: 2 }, { eos_token_id: [5, 6] }).eosTokenIds).toEqual([5, 6]);
    expect(parse({ ...llama, eos_token_id: null }).eosTokenIds).toEqual([]);
  });

  test('finds the decoder under any prefix, and its head beside it', () => {
    const names = (tensorPrefix: string) => decoderTensorNames({ ...parse(llama), tensorPrefix }).head;
    expect(names('model.')).toBe('lm_head.weight');
    expect(names('model.language_model.')).toBe('lm_head.weight');
    expect(names('model.text_model.')).toBe('lm_head.weight');
    expect(names('language_model.model.')).toBe('language_model.lm_head.weight');
    expect(names('')).toBe('lm_head.weight');
  });
});

describe('refusing what is not implemented, by key and value', () => {
  test.each<[Keys, RegExp]>([
    [{ model_type: 'gemma2' }, /model_type is "gemma2", supported are llama, mistral, qwen2, qwen3/],
    [{ model_type: undefined }, /model_type is missing/],
    [{ hidden_act: 'gelu' }, /hidden_act "gelu"/],
    [{ final_logit_softcapping: 30 }, /final_logit_softcapping 30/],
    [{ attn_logit_softcapping: 50 }, /attn_logit_softcapping 50/],
    [{ quantization_config: { quant_method: 'gptq' } }, /quantization_config \{"quant_method":"gptq"\}/],
    [{ pretraining_tp: 2 }, /pretraining_tp 2/],
    [{ partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5/],
    [{ rope_interleaved: true }, /rope_interleaved true/],
    [{ num_local_experts: 8 }, /num_local_experts 8/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, /layer_types with "sliding_attention"/],
    [{ rope_scaling: { type: 'yarn', factor: 4 } }, /rope type "yarn"/],
    [{ rope_scaling: { rope_type: 'longrope' } }, /rope type "longrope"/],
    [{ rope_scaling: { type: 'dynamic', factor: 2 } }, /rope type "dynamic"/],
    [{ rope_scaling: { type: 'mrope', mrope_section: [16] } }, /rope type "mrope"/],
    [{ rope_scaling: { factor: 2 } }, /rope factor 2/],
    [{ rope_parameters: { full_attention: { rope_theta: 1e4 } } }, /rotary parameter full_attention/],
    [{ rope_parameters: { partial_rotary_factor: 0.25 } }, /partial_rotary_factor 0.25/],
    [{ model_type: 'mistral', sliding_window: 256 }, /sliding_window 256, smaller than a context of 512/],
    [{ model_type: 'mistral', max_position_embeddings: 32_768 }, /sliding_window 4096/],
    [
      { model_type: 'qwen2', use_sliding_window: true, sliding_window: 128, max_window_layers: 1 },
      /sliding_window 128/,
    ],
  ])('%j', (changes, message) => {
    const error = refusal(() => parse({ ...llama, ...changes }));
    expect(error.code).toBe('unsupported_model');
    expect(error.message).toMatch(message);
    expect(error.message).toContain('/model/config.json');
  });

  test.each<Keys>([
    { model_type: 'mistral', sliding_window: 512 },
    { model_type: 'qwen2', use_sliding_window: false, sliding_window: 128 },
    { model_type: 'qwen2', use_sliding_window: true, sliding_window: 128, max_window_layers: 2 },
    { layer_types: ['full_attention', 'full_attention'] },
    { rope_scaling: null, quantization_config: null, pretraining_tp: 1 },
  ])('but takes values that change nothing: %j', (changes) => {
    expect(() => parse({ ...llama, ...changes })).not.toThrow();
  });

  test('also inside and beside the text_config of a vision-language model', () => {
    const text_config = { ...llama, hidden_act: 'gelu' };
    expect(() => parse({ model_type: 'llava', text_config })).toThrow(/hidden_act "gelu"/);
    const quantised = { model_type: 'llava', text_config: llama, quantization_config: {} };
    expect(() => parse(quantised)).toThrow(/quantization_config/);
  });
});

describe('refusing values that make no sense', () => {
  test.each<[Keys, RegExp]>([
    [{ hidden_size: 0 }, /hidden_size is 0/],
    [{ hidden_size: '64' }, /hidden_size is "64"/],
    [{ num_hidden_layers: 1e9 }, /num_hidden_layers is 1000000000/],
    [{ num_hidden_layers: 2.5 }, /num_hidden_layers is 2.5/],
    [{ vocab_size: 2 ** 53 }, /vocab_size/],
    [{ rms_norm_eps: Number.NaN }, /rms_norm_eps/],
    [{ rms_norm_eps: -1 }, /rms_norm_eps is -1/],
    [{ rope_theta: Number.POSITIVE_INFINITY }, /rope_theta/],
    [{ rope_theta: 1e4, rope_parameters: { rope_theta: 1e6 } }, /rope_theta is 10000, but 1000000/],
    [{ num_key_value_heads: 3 }, /4 is not a multiple of num_key_value_heads 3/],
    [{ head_dim: 15 }, /head_dim should be an even number, is 15/],
    [{ num_attention_heads: 6 }, /head_dim should be an even number/],
    [{ rope_scaling: { type: 'linear' } }, /need factor/],
    [
      { rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
      /high_freq_factor/,
    ],
    [{ eos_token_id: 300 }, /eos_token_id 300 is not below the vocab_size 300/],
    [{ eos_token_id: 'end' }, /eos_token_id is "end"/],
    [{ text_config: 3 }, /text_config should be an object/],
  ])('%j', (changes, message) => {
    const error = refusal(() => parse({ ...llama, ...changes }));
    expect(error.code).toBe('invalid_checkpoint');
    expect(error.message).toMatch(message);
  });

  test('any JSON under any known key is taken or refused by name, and never crashes', () => {
    const keys = [...Object.keys(llama), 'rope_parameters', 'rope_scaling', 'text_config', 'layer_types'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue(), { maxKeys: 4 }), (changes) => {
        try {
          parse({ ...llama, ...changes });
        } catch (error) {
          expect(error).toBeInstanceOf(TrimtabError);
          expect((error as Error).message).toContain('/model/');
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('comparing the tensors with the configuration', () => {
  test.each<[string, Keys, RegExp]>([
    [
      'llama-gqa',
      { hidden_size: 52 },
      /tensor model.embed_tokens.weight has shape \[304,48\], expected \[304,52\]/,
    ],
    ['llama-gqa', { num_key_value_heads: 4 }, /k_proj.weight has shape \[40,48\], expected \[80,48\]/],
    ['llama-gqa', { num_hidden_layers: 3 }, /tensor model.layers.2.input_layernorm.weight is missing/],
    ['llama-gqa', { num_hidden_layers: 1 }, /unexpected tensor model.layers.1.*a llama decoder of 1 layers/],
    ['llama-gqa', { attention_bias: true }, /q_proj.bias is missing/],
    ['llama-mha-bias', { mlp_bias: false }, /unexpected tensor model.layers.0.mlp.(down|gate|up)_proj.bias/],
    ['llama-gqa', { model_type: 'qwen3' }, /q_norm.weight is missing/],
    ['qwen3', { model_type: 'llama' }, /unexpected tensor model.layers.0.self_attn.(k|q)_norm.weight/],
    ['qwen2-tied', { tie_word_embeddings: false }, /tensor lm_head.weight is missing/],
    ['qwen3', { tie_word_embeddings: true }, /tie_word_embeddings is true, but lm_head.weight differs/],
  ])('%s with %j', (name, changes, message) => {
    expect(refusal(() => readWith(name, changes)).message).toMatch(message);
  });

  test('takes a tied head that was saved twice, and old rotary buffers', () => {
    expect(
      tinyModel({ 'lm_head.weight': [4, 2], 'model.layers.0.self_attn.rotary_emb.inv_freq': [1] }),
    ).toBeDefined();
  });

  test('refuses two embeddings, and weights of integers', () => {
    expect(() => tinyModel({ 'other.embed_tokens.weight': [4, 2] })).toThrow(/expected one tensor named/);
    expect(() => tinyModel({}, 'I32')).toThrow(/is I32, supported are F32, F16 and BF16/);
  });
});

/** A tied decoder of one layer, two wide, all zeros, with some extra tensors. */
function tinyModel(extra: Record<string, number[]>, dtype = 'F32'): DecoderConfig {
  const shapes: Record<string, number[]> = { ...tinyShapes, ...extra };
  const folder = temporaryFolder();
  let end = 0;
  const header = Object.entries(shapes).map(([name, shape]) => {
    const begin = end;
    end += 4 * shape.reduce((a, b) => a * b, 1);
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const bytes = safetensorsBytes(Object.fromEntries(header), new Uint8Array(end));
  writeFileSync(join(folder, 'model.safetensors'), bytes);
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...llama, ...tinySize }));
  const checkpoint = openCheckpoint(folder);
  try {
    return readDecoderConfig(checkpoint);
  } finally {
    checkpoint.close();
  }
}

const tinySize: Keys = {
  hidden_size: 2,
  intermediate_size: 3,
  num_hidden_layers: 1,
  num_attention_heads: 1,
  num_key_value_heads: 1,
  vocab_size: 4,
  tie_word_embeddings: true,
};

const tinyShapes: Record<string, number[]> = {
  'model.embed_tokens.weight': [4, 2],
  'model.norm.weight': [2],
  'model.layers.0.input_layernorm.weight': [2],
  'model.layers.0.post_attention_layernorm.weight': [2],
  'model.layers.0.self_attn.q_proj.weight': [2, 2],
  'model.layers.0.self_attn.k_proj.weight': [2, 2],
  'model.layers.0.self_attn.v_proj.weight': [2, 2],
  'model.layers.0.self_attn.o_proj.weight': [2, 2],
  'model.layers.0.mlp.gate_proj.weight': [3, 2],
  'model.layers.0.mlp.up_proj.weight': [3, 2],
  'model.layers.0.mlp.down_proj.weight': [2, 3],
};
