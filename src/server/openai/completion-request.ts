/** The body of `POST /v1/completions` to one core request per prompt. */

import { z } from 'zod';
import type { GenerateRequest, Prompt } from '../../core/messages.js';
import type { DraftMetricsLevel } from '../config.js';
import {
  includeUsage,
  invalidField,
  isTokenId,
  optional,
  samplingParams,
  sharedFields,
  stopParams,
  wellFormedText,
  withDefault,
} from './fields.js';
import { outputFormat, outputFormatFields } from './output-format.js';
import { parse, showValue } from './parse.js';
import { refuseUnsupported, unsupportedFields } from './unsupported-fields.js';

const maxPrompts = 256;
const maxChoices = 1024;
/** Of one prompt; far above any context, so that the model's own limit is the one that is reported. */
const maxTokenIds = 4_000_000;
const defaultMaxTokens = 16;

const completionRequestSchema = z.looseObject({
  ...sharedFields,
  ...outputFormatFields,
  prompt: z.unknown(),
  /** Null fills the context; absent is OpenAI's default of 16. */
  max_tokens: z.int().min(0).nullable().default(defaultMaxTokens),
  logprobs: optional(z.int().min(0).max(20)),
  echo: withDefault(z.boolean(), false),
});

export interface CompletionRequest {
  readonly generate: readonly GenerateRequest[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly draftMetrics: DraftMetricsLevel | undefined;
}

/** @throws {TrimtabError} invalid_request or unsupported_parameter, naming the field */
export function parseCompletionRequest(
  input: Readonly<Record<string, unknown>>,
  id: string,
): CompletionRequest {
  const body = parse(completionRequestSchema, input);
  refuseUnsupported(input, unsupportedFields.completion);
  const prompts = parsePrompts(body.prompt);
  if (prompts.length * body.n > maxChoices) {
    throw invalidField(
      'n',
      `expected ≤ ${maxChoices} choices over all prompts, received ${prompts.length * body.n}`,
    );
  }
  if (body.max_tokens === 0 && !body.echo) {
    throw invalidField('max_tokens', 'expected ≥ 1, or 0 together with echo: true');
  }
  const shared: Omit<GenerateRequest, 'id' | 'prompt'> = {
    model: body.model,
    n: body.n,
    sampling: samplingParams(body),
    stop: stopParams(body, body.max_tokens ?? undefined),
    outputFormat: outputFormat(body),
    tools: undefined,
    topLogprobs: body.logprobs,
    echo: body.echo,
    skipSpecialTokens: body.skip_special_tokens,
    priority: body.priority,
    cachePrompt: body.cache_prompt,
    cacheSalt: body.cache_salt,
    efficiency: body.efficiency ?? {},
  };
  const generate = prompts.map((prompt, i) => ({ ...shared, id: `${id}-${i}`, prompt }));
  return {
    generate,
    stream: body.stream,
    includeUsage: includeUsage(body),
    draftMetrics: body.metrics?.speculative_decoding,
  };
}

/**
 * A string, strings, token ids, or arrays of token ids. The first item decides which one is meant, so that a
 * complaint names what was expected there.
 */
export function parsePrompts(value: unknown): Prompt[] {
  if (typeof value === 'string') return [textPrompt(value)];
  if (!Array.isArray(value)) {
    throw invalidField(
      'prompt',
      `expected a string, strings, token ids or arrays of token ids, received ${showValue(value)}`,
    );
  }
  if (value.length === 0) throw invalidField('prompt', 'expected at least one item');
  if (typeof value[0] === 'number') return [tokensPrompt(value, 'prompt')];
  if (value.length > maxPrompts) {
    throw invalidField('prompt', `expected ≤ ${maxPrompts} prompts, received ${value.length}`);
  }
  if (Array.isArray(value[0])) return value.map((ids, i) => tokensPrompt(ids, `prompt[${i}]`));
  return value.map((text, i) => textPrompt(text, `prompt[${i}]`));
}

function textPrompt(value: unknown, path = 'prompt'): Prompt {
  if (typeof value !== 'string') throw invalidField(path, `expected string, received ${showValue(value)}`);
  return { kind: 'text', text: wellFormedText.parse(value) };
}

function tokensPrompt(value: unknown, path: string): Prompt {
  if (!Array.isArray(value)) throw invalidField(path, `expected token ids, received ${showValue(value)}`);
  if (value.length === 0) throw invalidField(path, 'expected at least one token id');
  if (value.length > maxTokenIds) throw invalidField(path, `expected ≤ ${maxTokenIds} token ids`);
  const wrong = value.findIndex((id) => !isTokenId(id));
  if (wrong >= 0) {
    throw invalidField(`${path}[${wrong}]`, `expected a token id, received ${showValue(value[wrong])}`);
  }
  return { kind: 'tokens', ids: value as number[] };
}
