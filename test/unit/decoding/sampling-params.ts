import type { SamplingParams } from '../../../src/core/messages.js';
import type { SamplingContext } from '../../../src/decoding/sampler.js';
import { TokenHistory } from '../../../src/decoding/token-history.js';

/** Parameters that change nothing, at temperature 1. */
export const neutral: SamplingParams = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
  seed: undefined,
};

export function contextOf(
  prompt: number[] = [],
  output: number[] = [],
  bannedTokens: number[] = [],
): SamplingContext {
  const history = new TokenHistory(prompt);
  for (const id of output) history.append(id);
  return { history, bannedTokens };
}
