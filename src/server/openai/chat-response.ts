/** `chat.completion`: the whole answer in one body. */

import type { FinishReason, TokenLogprob } from '../../core/messages.js';
import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { chatLogprobs } from './logprobs.js';
import { usageBody } from './usage.js';

interface Choice {
  text: string;
  readonly logprobs: TokenLogprob[];
  reason: FinishReason;
}

export async function chatResponse(
  events: AsyncIterable<PromptEvent>,
  head: ReplyHead,
  n: number,
  logprobs: boolean,
) {
  const choices = Array.from({ length: n }, (): Choice => ({ text: '', logprobs: [], reason: 'stop' }));
  let usage = noUsage;
  for await (const { value: event } of events) {
    if (event.type === 'delta') {
      const choice = choices[event.choice]!;
      choice.text += event.text;
      choice.logprobs.push(...(event.logprobs ?? []));
    } else if (event.type === 'finish') choices[event.choice]!.reason = event.reason;
    else if (event.type === 'end') usage = addUsage(usage, event.usage);
  }
  return {
    id: head.id,
    object: 'chat.completion',
    created: head.created,
    model: head.model,
    choices: choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: choice.text, refusal: null },
      logprobs: logprobs ? chatLogprobs(choice.logprobs) : null,
      finish_reason: choice.reason,
    })),
    usage: usageBody(usage),
    system_fingerprint: head.fingerprint,
  };
}
