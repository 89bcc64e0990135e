/**
 * The typed architecture of a decoder, from `config.json` of transformers 4 or 5 (which moved rotary settings to
 * `rope_parameters`) or from the `text_config` inside a vision-language model. What would change the result and
 * is not implemented is an error that names the key and its value, never ignored.
 */

import type { z } from 'zod';
import type { Checkpoint } from './checkpoint.js';
import type { DecoderKeys, Family } from './config-schema.js';
import { decoderSchema, families, familyDefaults, generationSchema, neutralValues } from './config-schema.js';
import { checkDecoderTensors, findTensorPrefix } from './decoder-tensors.js';
import type { JsonObject } from './files.js';
import { invalidCheckpoint, isJsonObject, unsupportedModel } from './files.js';
import type { RopeScaling } from './rope-config.js';
import { parseRope } from './rope-config.js';

export type { Family } from './config-schema.js';
export type { RopeScaling } from './rope-config.js';

export interface DecoderConfig {
  readonly family: Family;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Divides `heads`; each serves `heads / kvHeads` query heads in a row. */
  readonly kvHeads: number;
  /** Even; `heads * headDim` need not be `hiddenSize`. */
  readonly headDim: number;
  readonly vocabSize: number;
  /** Longest sequence that the positions were made for, in tokens. */
  readonly contextLength: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
  readonly tieWordEmbeddings: boolean;
  /** Biases of the query, key and value projections, and of the output projection. */
  readonly attentionBias: { readonly qkv: boolean; readonly output: boolean };
  readonly mlpBias: boolean;
  /** RMS norm over each head of queries and keys, before the rotary embedding. */
  readonly qkNorm: boolean;
  /** What stands before `embed_tokens.weight` and `layers.0`, for example `model.`. */
  readonly tensorPrefix: string;
  readonly bosTokenId: number | undefined;
  /** Tokens that end a sequence; may be empty. */
  readonly eosTokenIds: readonly number[];
}

type ConfigSource = Pick<Checkpoint, 'folder' | 'config' | 'generationConfig'>;

/** Parses the configuration and checks name and shape of every tensor of the decoder against it. */
export function readDecoderConfig(checkpoint: Checkpoint): DecoderConfig {
  const architecture = parseDecoderConfig(checkpoint);
  const config = { ...architecture, tensorPrefix: findTensorPrefix(checkpoint) };
  checkDecoderTensors(checkpoint, config);
  return config;
}

/** What the configuration alone says. */
export function parseDecoderConfig(source: ConfigSource): Omit<DecoderConfig, 'tensorPrefix'> {
  const file = `${source.folder}/config.json`;
  const raw = textConfig(file, source.config);
  const family = familyOf(file, raw);
  refuseUnsupported(file, source.config);
  refuseUnsupported(file, raw);
  const keys = parseKeys(file, decoderSchema, { ...familyDefaults[family], ...raw });
  refuseSlidingWindow(file, family, keys);
  const shape = parseShape(file, keys);
  return {
    family,
    ...shape,
    ...parseRope(file, keys, shape.contextLength),
    ...variations(family, keys),
    tieWordEmbeddings: keys.tie_word_embeddings === true || source.config.tie_word_embeddings === true,
    ...specialTokens(source, keys, shape.vocabSize),
  };
}

/** The keys of the decoder: those of `text_config` in a vision-language model, else all. */
function textConfig(file: string, config: JsonObject): JsonObject {
  const nested = config.text_config;
  if (nested === undefined) return config;
  if (!isJsonObject(nested)) throw invalidCheckpoint(file, 'text_config should be an object');
  return nested;
}

function familyOf(file: string, raw: JsonObject): Family {
  const family = families.find((name) => name === raw.model_type);
  if (family !== undefined) return family;
  throw unsupportedModel(file, `model_type is ${show(raw.model_type)}, supported are ${families.join(', ')}`);
}

function refuseUnsupported(file: string, raw: JsonObject): void {
  for (const [key, neutral] of Object.entries(neutralValues)) {
    const value = Object.hasOwn(raw, key) ? raw[key] : null;
    if (value !== null && !neutral.includes(value))
      throw unsupportedModel(file, `${key} ${show(value)} is not supported`);
  }
  const layerTypes = raw.layer_types ?? [];
  const other = Array.isArray(layerTypes) ? layerTypes.find((type) => type !== 'full_attention') : layerTypes;
  if (other !== undefined) throw unsupportedModel(file, `layer_types with ${show(other)} is not supported`);
}

/** A window that no sequence outgrows, or that no layer uses, changes nothing. */
function refuseSlidingWindow(file: string, family: Family, keys: DecoderKeys): void {
  const window = keys.sliding_window ?? 0;
  if (window === 0 || window >= keys.max_position_embeddings || family === 'llama') return;
  const isQwen = family !== 'mistral';
  if (isQwen && (!keys.use_sliding_window || (keys.max_window_layers ?? 28) >= keys.num_hidden_layers))
    return;
  const context = `a context of ${keys.max_position_embeddings}`;
  throw unsupportedModel(file, `sliding_window ${window}, smaller than ${context}, is not supported`);
}

function parseShape(file: string, keys: DecoderKeys) {
  const heads = keys.num_attention_heads;
  const kvHeads = keys.num_key_value_heads ?? heads;
  const headDim = keys.head_dim ?? keys.hidden_size / heads;
  if (heads % kvHeads !== 0) {
    throw invalidCheckpoint(
      file,
      `num_attention_heads ${heads} is not a multiple of num_key_value_heads ${kvHeads}`,
    );
  }
  if (headDim % 2 !== 0) throw invalidCheckpoint(file, `head_dim should be an even number, is ${headDim}`);
  return {
    hiddenSize: keys.hidden_size,
    intermediateSize: keys.intermediate_size,
    layers: keys.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    vocabSize: keys.vocab_size,
    contextLength: keys.max_position_embeddings,
    rmsNormEps: keys.rms_norm_eps,
  };
}

/** Where the families differ: which projections have a bias, and the norm of queries and keys. */
function variations(family: Family, keys: DecoderKeys) {
  const byKey = family === 'llama' || family === 'qwen3' ? keys.attention_bias : false;
  return {
    attentionBias: { qkv: family === 'qwen2' || byKey, output: byKey },
    mlpBias: family === 'llama' && keys.mlp_bias,
    qkNorm: family === 'qwen3',
  };
}

/** `generation_config.json` decides what ends a sequence; `config.json` where it is silent. */
function specialTokens(source: ConfigSource, keys: DecoderKeys, vocabSize: number) {
  const file = `${source.folder}/generation_config.json`;
  const generation = parseKeys(file, generationSchema, source.generationConfig);
  const eosTokenIds = [generation.eos_token_id ?? keys.eos_token_id ?? []].flat();
  const outside = eosTokenIds.find((id) => id >= vocabSize);
  if (outside !== undefined) {
    throw invalidCheckpoint(file, `eos_token_id ${outside} is not below the vocab_size ${vocabSize}`);
  }
  return { bosTokenId: keys.bos_token_id ?? undefined, eosTokenIds };
}

export function parseKeys<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  keys: JsonObject,
): z.infer<Schema> {
  const result = schema.safeParse(keys);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const key = issue.path.join('.');
  throw invalidCheckpoint(file, `${key} is ${show(keys[String(issue.path[0])])}: ${issue.message}`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 200);
}
