/** Log-probabilities in the two shapes of OpenAI: chat, and the older one of text completions. */

import type { TokenAlternative, TokenLogprob } from '../../core/messages.js';

/** JSON has no infinity; this is what OpenAI sends for a token that cannot happen. */
const leastLogprob = -9999;

function wireLogprob(logprob: number | null): number {
  return logprob === null ? leastLogprob : Math.max(logprob, leastLogprob);
}

export function chatLogprobs(tokens: readonly TokenLogprob[]) {
  return {
    content: tokens.map((token) => ({ ...entry(token), top_logprobs: token.top.map(entry) })),
    refusal: null,
  };
}

function entry(token: TokenAlternative) {
  return { token: token.text, logprob: wireLogprob(token.logprob), bytes: token.bytes };
}

/** Writes the parallel arrays of text completions; `text_offset` goes on from one call to the next. */
export class CompletionLogprobs {
  /** Code points of the text so far. */
  private offset = 0;

  append(tokens: readonly TokenLogprob[]) {
    return {
      tokens: tokens.map((token) => token.text),
      token_logprobs: tokens.map(({ logprob }) => (logprob === null ? null : wireLogprob(logprob))),
      top_logprobs: tokens.map(topByText),
      text_offset: tokens.map((token) => this.advance(token.bytes)),
    };
  }

  /** Counts the first bytes of characters, so that one split over two tokens counts once. */
  private advance(bytes: readonly number[]): number {
    const start = this.offset;
    this.offset += bytes.filter((byte) => (byte & 0xc0) !== 0x80).length;
    return start;
  }
}

/** Null for the first token of a prompt, which nothing predicts; else the alternatives and the token itself. */
function topByText(token: TokenLogprob): Record<string, number> | null {
  if (token.logprob === null) return null;
  const pairs = [...token.top, token].map(({ text, logprob }) => [text, wireLogprob(logprob)] as const);
  return Object.fromEntries(pairs.reverse()); // the likelier of two with the same text wins
}
