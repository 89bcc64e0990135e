/** Bodies of `/tokenize` (a text or a chat, as vLLM; or `content`, as llama.cpp) and `/detokenize`. */

import { z } from 'zod';
import type { TokenizeOptions } from '../../core/backend.js';
import { type EfficiencyOptions, efficiencySchema } from '../../core/efficiency.js';
import type { Prompt } from '../../core/messages.js';
import { chatPrompt, templateFields } from './chat-request.js';
import { boundedArray, modelName, optional, tokenId, wellFormedText, withDefault } from './fields.js';
import { parse } from './parse.js';
import { templateTools } from './tools.js';
import { unsupported } from './unsupported-fields.js';

const common = { model: optional(modelName), return_token_strs: withDefault(z.boolean(), false) };

const chatSchema = z.looseObject({
  ...common,
  ...templateFields,
  efficiency: optional(efficiencySchema),
  add_special_tokens: withDefault(z.boolean(), false),
});
const textSchema = z.looseObject({
  ...common,
  prompt: wellFormedText,
  add_special_tokens: withDefault(z.boolean(), true),
});
const contentSchema = z.looseObject({
  ...common,
  content: wellFormedText,
  add_special: withDefault(z.boolean(), false),
});

export interface TokenizeRequest extends Required<TokenizeOptions> {
  /** Undefined is the first model. */
  readonly model: string | undefined;
  readonly prompt: Prompt;
  readonly tokenStrings: boolean;
}

/** @throws {TrimtabError} invalid_request or unsupported_parameter, naming the field */
export function parseTokenizeRequest(input: Readonly<Record<string, unknown>>): TokenizeRequest {
  if (input.with_pieces === true) throw unsupported('with_pieces', 'use return_token_strs');
  if (input.messages !== undefined) {
    const body = parse(chatSchema, input);
    const prompt = chatPrompt(body, templateTools(body));
    return request(body, prompt, body.add_special_tokens, body.efficiency);
  }
  if (input.prompt === undefined && input.content !== undefined) {
    const body = parse(contentSchema, input);
    return request(body, { kind: 'text', text: body.content }, body.add_special);
  }
  const body = parse(textSchema, input);
  return request(body, { kind: 'text', text: body.prompt }, body.add_special_tokens);
}

function request(
  body: { model: string | undefined; return_token_strs: boolean },
  prompt: Prompt,
  addSpecialTokens: boolean,
  efficiency: EfficiencyOptions = {},
): TokenizeRequest {
  return { model: body.model, prompt, addSpecialTokens, efficiency, tokenStrings: body.return_token_strs };
}

const detokenizeSchema = z.looseObject({
  model: optional(modelName),
  tokens: boundedArray(tokenId, 1_000_000),
});

export function parseDetokenizeRequest(input: Readonly<Record<string, unknown>>) {
  return parse(detokenizeSchema, input);
}
