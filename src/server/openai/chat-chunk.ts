/** `chat.completion.chunk`: the answer as it comes. Per choice a role, content, then a finish reason. */

import type { FinishReason, TokenLogprob } from '../../core/messages.js';
import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { chatLogprobs } from './logprobs.js';
import { usageBody } from './usage.js';

interface Delta {
  readonly role?: 'assistant';
  readonly content?: string;
}

export async function* chatChunks(
  events: AsyncIterable<PromptEvent>,
  head: ReplyHead,
  includeUsage: boolean,
) {
  const begun = new Set<number>();
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
    if (event.type === 'finish') yield chunk([choice(index, {}, undefined, event.reason)]);
    else if (event.text !== '' || event.logprobs !== undefined) {
      yield chunk([choice(index, { content: event.text }, event.logprobs)]);
    }
  }
  if (includeUsage) yield { ...chunk([]), usage: usageBody(usage) };
}

function choice(
  index: number,
  delta: Delta,
  tokens?: readonly TokenLogprob[],
  reason: FinishReason | null = null,
) {
  return {
    index,
    delta,
    logprobs: tokens === undefined ? null : chatLogprobs(tokens),
    finish_reason: reason,
  };
}
