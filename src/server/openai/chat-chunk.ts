/** `chat.completion.chunk`: the answer as it comes. Per choice a role, content, then a finish reason. */

import type { GenerateEvent, TokenLogprob } from '../../core/messages.js';
import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { chatLogprobs } from './logprobs.js';
import { metricsBody } from './request-metrics.js';
import { finishReason, toolCallsDelta, type WireFinishReason } from './tool-calls.js';
import type { ToolDialect } from './tools.js';
import { usageBody } from './usage.js';

export async function* chatChunks(
  events: AsyncIterable<PromptEvent>,
  head: ReplyHead,
  includeUsage: boolean,
  dialect: ToolDialect,
) {
  const begun = new Set<number>();
  const called = new Set<number>();
  let usage = noUsage;
  const chunk = (choices: readonly object[]) => ({
    id: head.id,
    object: 'chat.completion.chunk',
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
    choices,
    ...(includeUsage && { usage: null }),
  });
  for await (const { value: event } of events) {
    if (event.type === 'end') usage = addUsage(usage, event.usage);
    if (event.type !== 'delta' && event.type !== 'finish') continue;
    const index = event.choice;
    if (!begun.has(index)) {
      begun.add(index);
      yield chunk([choice(index, { role: 'assistant', content: '' })]);
    }
    if (event.type === 'finish') {
      yield chunk([choice(index, {}, undefined, finishReason(event.reason, called.has(index), dialect))]);
      continue;
    }
    if (event.toolCalls !== undefined) called.add(index);
    const delta = deltaBody(event, dialect);
    if (Object.keys(delta).length > 0 || event.logprobs !== undefined) {
      yield chunk([choice(index, delta, event.logprobs)]);
    }
  }
  if (includeUsage) {
    const told = metricsBody(usage, head.draftMetrics);
    yield { ...chunk([]), usage: usageBody(usage, head.countRejected), ...told };
  }
}

/** What the piece brings; empty content only with log-probabilities, which need a place to stand. */
function deltaBody(
  { text, reasoning, toolCalls, logprobs }: GenerateEvent & { type: 'delta' },
  dialect: ToolDialect,
) {
  const isSilent = reasoning === undefined && toolCalls === undefined;
  return {
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
    ...((text !== '' || (isSilent && logprobs !== undefined)) && { content: text }),
    ...(toolCalls !== undefined && toolCallsDelta(toolCalls, dialect)),
  };
}

function choice(
  index: number,
  delta: object,
  tokens?: readonly TokenLogprob[],
  reason: WireFinishReason | null = null,
) {
  return {
    index,
    delta,
    logprobs: tokens === undefined ? null : chatLogprobs(tokens),
    finish_reason: reason,
  };
}
