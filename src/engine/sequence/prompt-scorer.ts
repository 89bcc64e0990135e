/** Log-probabilities of a prompt, collected chunk by chunk so that no more logits than one chunk exist. */

import type { TokenLogprob } from '../../core/messages.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { describeChoice, describeToken } from './describe-token.js';

export class PromptScorer {
  readonly #tokenizer: Tokenizer;
  readonly #promptIds: readonly number[];
  readonly #topCount: number;
  readonly #scored: TokenLogprob[];

  constructor(tokenizer: Tokenizer, promptIds: readonly number[], topCount: number) {
    this.#tokenizer = tokenizer;
    this.#promptIds = promptIds;
    this.#topCount = topCount;
    this.#scored = [{ ...describeToken(tokenizer, promptIds[0]!, null), top: [] }];
  }

  /** One entry per prompt token, once every row was added. */
  get scored(): readonly TokenLogprob[] {
    return this.#scored;
  }

  /** Takes the `[vocab]` logits of the next prompt token, which predict the token after it. */
  add(logits: Float32Array): void {
    const predicted = this.#promptIds[this.#scored.length];
    if (predicted === undefined) return;
    this.#scored.push(describeChoice(this.#tokenizer, logits, predicted, this.#topCount));
  }
}
