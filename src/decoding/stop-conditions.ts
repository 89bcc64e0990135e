/** When a sequence ends because of a token: end of sequence, stop token, or the length limit. */

import type { FinishReason, StopParams } from '../core/messages.js';

export interface Finish {
  readonly reason: FinishReason;
  /** The stop token that ended it, null for end of sequence and length. */
  readonly matchedStop: number | null;
}

export class StopConditions {
  readonly #eos: ReadonlySet<number>;
  readonly #stopTokens: ReadonlySet<number>;
  readonly #ending: readonly number[];
  readonly #ignoreEos: boolean;
  readonly #minTokens: number;
  readonly #maxTokens: number;

  /** `maxTokens` is the limit that holds after the context is taken into account. */
  constructor(stop: StopParams, eosTokenIds: readonly number[], maxTokens: number) {
    this.#eos = new Set(eosTokenIds);
    this.#stopTokens = new Set(stop.tokenIds);
    this.#ending = [...new Set([...eosTokenIds, ...stop.tokenIds])];
    this.#ignoreEos = stop.ignoreEos;
    this.#minTokens = stop.minTokens;
    this.#maxTokens = maxTokens;
  }

  /** False while fewer than `minTokens` tokens are out: then stop strings do not count either. */
  mayStop(outputLength: number): boolean {
    return outputLength >= this.#minTokens;
  }

  /**
   * Tokens that must not be drawn as output number `outputLength` (counted from 0), so that at least
   * `minTokens` come out. End of sequence is among them even with `ignoreEos`, as in vLLM.
   */
  bannedTokens(outputLength: number): readonly number[] {
    return outputLength < this.#minTokens ? this.#ending : [];
  }

  /** Judges the newest token, `outputLength` counting it. An end token beats the length limit. */
  check(tokenId: number, outputLength: number): Finish | null {
    if (this.mayStop(outputLength)) {
      if (!this.#ignoreEos && this.#eos.has(tokenId)) return { reason: 'stop', matchedStop: null };
      if (this.#stopTokens.has(tokenId)) return { reason: 'stop', matchedStop: tokenId };
    }
    return outputLength >= this.#maxTokens ? { reason: 'length', matchedStop: null } : null;
  }

  /** True for the tokens whose text is no part of the answer: end of sequence and stop tokens. */
  isEnding(tokenId: number): boolean {
    return this.#stopTokens.has(tokenId) || (!this.#ignoreEos && this.#eos.has(tokenId));
  }
}
