/** `text_completion` as it comes: the same object as the whole one, with a piece of one choice in each frame. */

import { addUsage, noUsage, type PromptEvent, type ReplyHead } from '../generation.js';
import { CompletionPieces } from './completion-choice.js';
import type { CompletionShape } from './completion-response.js';
import { CompletionLogprobs } from './logprobs.js';
import { metricsBody } from './request-metrics.js';
import { usageBody } from './usage.js';

export async function* completionChunks(
  events: AsyncIterable<PromptEvent>,
  head: ReplyHead,
  shape: CompletionShape,
  includeUsage: boolean,
) {
  const pieces = new CompletionPieces(shape.n);
  const logprobs = Array.from({ length: shape.prompts * shape.n }, () => new CompletionLogprobs());
  let usage = noUsage;
  const chunk = (choices: readonly object[]) => ({
    id: head.id,
    object: 'text_completion',
    created: head.created,
    model: head.model,
    system_fingerprint: head.fingerprint,
    choices,
    ...(includeUsage && { usage: null }),
  });
  for await (const item of events) {
    if (item.value.type === 'end') usage = addUsage(usage, item.value.usage);
    for (const { index, text, logprobs: tokens, reason } of pieces.of(item)) {
      if (text === '' && tokens === undefined && reason === null) continue;
      const scored = tokens === undefined ? null : logprobs[index]!.append(tokens);
      yield chunk([{ index, text, logprobs: scored, finish_reason: reason }]);
    }
  }
  if (includeUsage) {
    const told = metricsBody(usage, head.draftMetrics);
    yield { ...chunk([]), usage: usageBody(usage, head.countRejected), ...told };
  }
}
