/** The body of `POST /v1/chat/completions` to a core request. */

import { z } from 'zod';
import type { GenerateRequest } from '../../core/messages.js';
import type { DraftMetricsLevel } from '../config.js';
import { chatMessage, toChatMessage } from './chat-messages.js';
import {
  boundedArray,
  includeUsage,
  invalidField,
  optional,
  samplingParams,
  sharedFields,
  stopParams,
  wellFormedText,
  withDefault,
} from './fields.js';
import { outputFormat, outputFormatFields } from './output-format.js';
import { parse } from './parse.js';
import { type ToolDialect, templateTools, toolDialect, toolFields, toolUse, toolUseFields } from './tools.js';
import { refuseUnsupported, unsupportedFields } from './unsupported-fields.js';

const maxMessages = 4096;

/** How the chat template turns messages into a prompt; `/tokenize` takes the same fields. */
export const templateFields = {
  messages: boundedArray(chatMessage, maxMessages).refine((messages) => messages.length > 0, {
    message: 'expected at least one message',
  }),
  add_generation_prompt: optional(z.boolean()),
  continue_final_message: withDefault(z.boolean(), false),
  chat_template_kwargs: optional(z.record(z.string().max(256), z.unknown())),
  ...toolFields,
};

/** OpenAI's predicted output; together with anything else, since it changes no answer. */
const prediction = z
  .looseObject({
    type: z.literal('content'),
    content: z.union([
      wellFormedText,
      boundedArray(z.looseObject({ type: z.literal('text'), text: wellFormedText }), 1024),
    ]),
  })
  .transform(({ content }) =>
    typeof content === 'string' ? content : content.map(({ text }) => text).join(''),
  );

const chatRequestSchema = z.looseObject({
  ...sharedFields,
  ...templateFields,
  ...outputFormatFields,
  ...toolUseFields,
  max_tokens: optional(z.int().min(1)),
  max_completion_tokens: optional(z.int().min(1)),
  logprobs: withDefault(z.boolean(), false),
  top_logprobs: optional(z.int().min(0).max(20)),
  prediction: optional(prediction),
});

export interface ChatRequest {
  readonly generate: GenerateRequest;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly draftMetrics: DraftMetricsLevel | undefined;
  readonly dialect: ToolDialect;
}

/** @throws {TrimtabError} invalid_request or unsupported_parameter, naming the field */
export function parseChatRequest(input: Readonly<Record<string, unknown>>, id: string): ChatRequest {
  const body = parse(chatRequestSchema, input);
  refuseUnsupported(input, unsupportedFields.chat);
  if (body.top_logprobs !== undefined && !body.logprobs) {
    throw invalidField('top_logprobs', 'allowed only together with logprobs: true');
  }
  const tools = toolUse(body);
  const generate: GenerateRequest = {
    id,
    model: body.model,
    prompt: chatPrompt(body, tools && templateTools(body)),
    n: body.n,
    sampling: samplingParams(body),
    stop: stopParams(body, body.max_completion_tokens ?? body.max_tokens),
    outputFormat: outputFormat(body),
    tools,
    topLogprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
    echo: false,
    skipSpecialTokens: body.skip_special_tokens,
    priority: body.priority,
    cachePrompt: body.cache_prompt,
    cacheSalt: body.cache_salt,
    efficiency: body.efficiency ?? {},
    prediction: body.prediction,
  };
  return {
    generate,
    stream: body.stream,
    includeUsage: includeUsage(body),
    draftMetrics: body.metrics?.speculative_decoding,
    dialect: toolDialect(body),
  };
}

const templateSchema = z.looseObject(templateFields);

/**
 * `tools` are what the chat template is told of.
 * @throws {TrimtabError} invalid_request when the last message would be both closed and left open
 */
export function chatPrompt(
  body: z.output<typeof templateSchema>,
  tools: readonly object[] | undefined,
): GenerateRequest['prompt'] {
  if (body.continue_final_message && body.add_generation_prompt === true) {
    throw invalidField('continue_final_message', 'not allowed together with add_generation_prompt: true');
  }
  return {
    kind: 'chat',
    messages: body.messages.map(toChatMessage),
    ...((tools ?? body.chat_template_kwargs) !== undefined && {
      templateVariables: { ...body.chat_template_kwargs, ...(tools !== undefined && { tools }) },
    }),
    addGenerationPrompt: body.add_generation_prompt ?? !body.continue_final_message,
    continueFinalMessage: body.continue_final_message,
  };
}
