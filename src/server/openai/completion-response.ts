/** `text_completion`: the completions of all prompts in one body. */

import type { FinishReason, TokenLogprob } from '../../core/messages.js';
import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { CompletionPieces } from './completion-choice.js';
import { CompletionLogprobs } from './logprobs.js';
import { metricsBody } from './request-metrics.js';
import { usageBody } from './usage.js';

interface Choice {
  text: string;
  readonly logprobs: TokenLogprob[];
  reason: FinishReason;
}

export interface CompletionShape {
  readonly prompts: number;
  readonly n: number;
  readonly logprobs: boolean;
}

export async function completionResponse(
  events: AsyncIterable<PromptEvent>,
  head: ReplyHead,
  shape: CompletionShape,
) {
  const length = shape.prompts * shape.n;
  const choices = Array.from({ length }, (): Choice => ({ text: '', logprobs: [], reason: 'stop' }));
  const pieces = new CompletionPieces(shape.n);
  let usage = noUsage;
  for await (const item of events) {
    if (item.value.type === 'end') usage = addUsage(usage, item.value.usage);
    for (const piece of pieces.of(item)) {
      const choice = choices[piece.index]!;
      choice.text += piece.text;
      choice.reason = piece.reason ?? choice.reason;
      for (const token of piece.logprobs ?? []) choice.logprobs.push(token);
    }
  }
  return {
    id: head.id,
    object: 'text_completion',
    created: head.created,
    model: head.model,
    choices: choices.map((choice, index) => ({
      index,
      text: choice.text,
      logprobs: shape.logprobs ? new CompletionLogprobs().append(choice.logprobs) : null,
      finish_reason: choice.reason,
    })),
    usage: usageBody(usage, head.countRejected),
    ...metricsBody(usage, head.draftMetrics),
    system_fingerprint: head.fingerprint,
  };
}
