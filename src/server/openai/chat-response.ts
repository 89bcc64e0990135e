/** `chat.completion`: the whole answer in one body. */

import type { FinishReason, GenerateEvent, TokenLogprob, ToolCallDelta } from '../../core/messages.js';
import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { chatLogprobs } from './logprobs.js';
import { metricsBody } from './request-metrics.js';
import { finishReason, toolCallsMessage } from './tool-calls.js';
import type { ToolDialect } from './tools.js';
import { usageBody } from './usage.js';

export interface ChatShape {
  readonly n: number;
  readonly logprobs: boolean;
  readonly dialect: ToolDialect;
}

class Choice {
  reason: FinishReason = 'stop';
  #text = '';
  #reasoning = '';
  readonly #toolCalls: ToolCallDelta[] = [];
  readonly #logprobs: TokenLogprob[] = [];

  add({ text, reasoning, toolCalls, logprobs }: GenerateEvent & { type: 'delta' }): void {
    this.#text += text;
    this.#reasoning += reasoning ?? '';
    this.#toolCalls.push(...(toolCalls ?? []));
    this.#logprobs.push(...(logprobs ?? []));
  }

  body(index: number, { logprobs, dialect }: ChatShape) {
    const called = this.#toolCalls.length > 0;
    return {
      index,
      message: {
        role: 'assistant',
        content: called && this.#text === '' ? null : this.#text,
        ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
        refusal: null,
        ...toolCallsMessage(this.#toolCalls, dialect),
      },
      logprobs: logprobs ? chatLogprobs(this.#logprobs) : null,
      finish_reason: finishReason(this.reason, called, dialect),
    };
  }
}

export async function chatResponse(events: AsyncIterable<PromptEvent>, head: ReplyHead, shape: ChatShape) {
  const choices = Array.from({ length: shape.n }, () => new Choice());
  let usage = noUsage;
  for await (const { value: event } of events) {
    if (event.type === 'delta') choices[event.choice]!.add(event);
    else if (event.type === 'finish') choices[event.choice]!.reason = event.reason;
    else if (event.type === 'end') usage = addUsage(usage, event.usage);
  }
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: choices.map((choice, index) => choice.body(index, shape)),
    usage: usageBody(usage, head.countRejected),
    ...metricsBody(usage, head.draftMetrics),
    system_fingerprint: head.fingerprint,
  };
}
