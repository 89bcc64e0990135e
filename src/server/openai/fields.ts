/** Fields that chat and text completions share: OpenAI's own, then what vLLM and llama.cpp clients send. */

import { z } from 'zod';
import { efficiencySchema } from '../../core/efficiency.js';
import { TrimtabError } from '../../core/errors.js';
import type { SamplingParams, StopParams } from '../../core/messages.js';
import { draftMetricsLevels } from '../config.js';

/** OpenAI treats an explicit null as an absent field. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

export function withDefault<T extends z.ZodType>(schema: T, fallback: z.output<T>) {
  return schema.nullish().transform((value) => value ?? fallback);
}

/** Checks the length first, so that a huge array costs one complaint and not one per item. */
export function boundedArray<T extends z.ZodType>(item: T, max: number) {
  return z.array(z.unknown()).max(max).pipe(z.array(item));
}

/** Half a surrogate pair cannot be encoded; it becomes U+FFFD, as every UTF-8 encoder would make it. */
export const wellFormedText = z.string().transform((text) => text.replace(/\p{Surrogate}/gu, '\uFFFD'));

export const modelName = z.string().min(1).max(256);
const maxTokenId = 0x7fff_ffff;
export const tokenId = z.int().min(0).max(maxTokenId);

/** The same without zod, for arrays of millions. */
export function isTokenId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxTokenId;
}

export const maxStopStrings = 16;

const stopString = wellFormedText.pipe(z.string().min(1).max(1024));
const stop = z.union([stopString, boundedArray(stopString, maxStopStrings)]);

/** `{ "50256": -100 }` to pairs. */
const logitBias = z
  .record(z.string(), z.unknown())
  .refine((bias) => Object.keys(bias).length <= 1024, { message: 'expected ≤ 1024 entries', abort: true })
  .pipe(z.record(z.string().regex(/^\d{1,9}$/), z.number().min(-100).max(100)))
  .transform((bias) => Object.entries(bias).map(([id, value]) => [Number(id), value] as const));

const int64 = z.number().refine((seed) => Number.isInteger(seed) && Math.abs(seed) <= 2 ** 63, {
  message: 'expected a 64-bit integer',
});

export const sharedFields = {
  model: modelName,
  n: withDefault(z.int().min(1).max(128), 1),
  stream: withDefault(z.boolean(), false),
  stream_options: optional(
    z.looseObject({
      include_usage: withDefault(z.boolean(), false),
      include_obfuscation: optional(z.boolean()),
    }),
  ),
  temperature: withDefault(z.number().min(0).max(2), 1),
  top_p: withDefault(z.number().min(0).max(1), 1),
  presence_penalty: withDefault(z.number().min(-2).max(2), 0),
  frequency_penalty: withDefault(z.number().min(-2).max(2), 0),
  logit_bias: optional(logitBias),
  seed: optional(int64),
  stop: optional(stop),
  // vLLM and llama.cpp
  top_k: withDefault(z.int().min(-1).max(1_000_000), 0),
  min_p: withDefault(z.number().min(0).max(1), 0),
  repetition_penalty: withDefault(z.number().min(0.01).max(10), 1),
  stop_token_ids: optional(boundedArray(tokenId, 128)),
  min_tokens: withDefault(z.int().min(0), 0),
  ignore_eos: withDefault(z.boolean(), false),
  include_stop_str_in_output: withDefault(z.boolean(), false),
  skip_special_tokens: withDefault(z.boolean(), true),
  priority: withDefault(z.int().min(-1_000_000).max(1_000_000), 0),
  cache_salt: optional(z.string().min(1).max(256)),
  cache_prompt: withDefault(z.boolean(), true),
  // trimtab
  efficiency: optional(efficiencySchema),
  metrics: optional(z.strictObject({ speculative_decoding: optional(z.enum(draftMetricsLevels)) })),
};

const sharedSchema = z.looseObject(sharedFields);
export type SharedFields = z.output<typeof sharedSchema>;

export function samplingParams(body: SharedFields): SamplingParams {
  return {
    temperature: body.temperature,
    topP: body.top_p,
    topK: Math.max(0, body.top_k),
    minP: body.min_p,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    repetitionPenalty: body.repetition_penalty,
    logitBias: body.logit_bias ?? [],
    seed: body.seed,
  };
}

/** @throws {TrimtabError} invalid_request when `min_tokens` exceeds the most tokens allowed */
export function stopParams(body: SharedFields, maxTokens: number | undefined): StopParams {
  if (maxTokens !== undefined && body.min_tokens > maxTokens) {
    throw invalidField(
      'min_tokens',
      `expected ≤ ${maxTokens} (the most tokens asked for), received ${body.min_tokens}`,
    );
  }
  return {
    strings: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    tokenIds: body.stop_token_ids ?? [],
    ignoreEos: body.ignore_eos,
    maxTokens,
    minTokens: body.min_tokens,
    includeStopString: body.include_stop_str_in_output,
  };
}

export function invalidField(param: string, problem: string): TrimtabError {
  return new TrimtabError('invalid_request', `${param}: ${problem}`, { param });
}

/** @returns whether a usage chunk ends the stream */
export function includeUsage(body: SharedFields): boolean {
  if (body.stream_options !== undefined && !body.stream) {
    throw invalidField('stream_options', 'allowed only together with stream: true');
  }
  return body.stream_options?.include_usage ?? false;
}
