/** Token ids and log-probabilities as callers see them. */

import type { TokenAlternative, TokenLogprob } from '../../core/messages.js';
import { tokenLogprobs } from '../../decoding/logprobs.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** Stands for "impossible", since JSON has no −Infinity (OpenAI's reference names the same number). */
const LOWEST_LOGPROB = -9999;

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function describeToken(tokenizer: Tokenizer, id: number, logprob: number | null): TokenAlternative {
  const bytes = tokenizer.tokenBytes(id);
  return {
    id,
    text: utf8.decode(bytes),
    bytes: [...bytes],
    logprob: logprob === null ? null : Math.max(logprob, LOWEST_LOGPROB),
  };
}

/** `logits` is the `[vocab]` row that predicts the token. */
export function describeChoice(
  tokenizer: Tokenizer,
  logits: Float32Array,
  id: number,
  topCount: number,
): TokenLogprob {
  const { logprob, top } = tokenLogprobs(logits, id, topCount);
  return {
    ...describeToken(tokenizer, id, logprob),
    top: top.map((token) => describeToken(tokenizer, token.id, token.logprob)),
  };
}
