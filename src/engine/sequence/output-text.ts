/**
 * The text of one choice as it may be sent: whole characters, nothing that may still become a stop string,
 * and the log-probability of a token only together with the first of its text.
 */

import type { TokenLogprob } from '../../core/messages.js';
import type { StopStringMatcher } from '../../decoding/stop-strings.js';
import type { TextStream } from '../tokenizer/tokenizer.js';

export interface OutputPiece {
  readonly text: string;
  readonly logprobs: readonly TokenLogprob[];
  /** The stop string that ended the text, or null. */
  readonly matched: string | null;
}

export const NO_OUTPUT: OutputPiece = { text: '', logprobs: [], matched: null };

interface HeldLogprob {
  /** Where the text of the token begins, in UTF-16 units of the decoded text. */
  readonly start: number;
  readonly logprob: TokenLogprob;
}

export class OutputText {
  readonly #stream: TextStream;
  readonly #stopStrings: StopStringMatcher;
  #held: HeldLogprob[] = [];
  #decodedLength = 0;
  #sentLength = 0;

  constructor(stream: TextStream, stopStrings: StopStringMatcher) {
    this.#stream = stream;
    this.#stopStrings = stopStrings;
  }

  push(tokenId: number, mayStop: boolean, logprob: TokenLogprob | undefined): OutputPiece {
    if (logprob !== undefined) this.#held.push({ start: this.#decodedLength, logprob });
    return this.#match(this.#stream.push(tokenId), mayStop);
  }

  /** What was held back, once no more tokens come; even this may complete a stop string. */
  finish(mayStop: boolean): OutputPiece {
    const tail = this.#match(this.#stream.finish(), mayStop);
    if (tail.matched !== null) return tail;
    const text = tail.text + this.#stopStrings.flush();
    return { text, logprobs: [...tail.logprobs, ...this.#release(Number.POSITIVE_INFINITY)], matched: null };
  }

  #match(decoded: string, mayStop: boolean): OutputPiece {
    this.#decodedLength += decoded.length;
    const { text, matched } = this.#stopStrings.push(decoded, mayStop);
    this.#sentLength += text.length;
    return { text, logprobs: this.#release(this.#sentLength), matched };
  }

  #release(sentLength: number): TokenLogprob[] {
    const ready = this.#held.filter(({ start }) => start < sentLength);
    this.#held = this.#held.slice(ready.length);
    return ready.map(({ logprob }) => logprob);
  }
}
