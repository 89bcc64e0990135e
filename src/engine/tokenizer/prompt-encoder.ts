/** Text to ids, through the stages of `tokenizer.json` in the order of the reference (Rust's `tokenizers`). */

import { type AddedToken, AddedTokenSplitter } from './added-tokens.js';
import { Bpe } from './bpe.js';
import { makePreTokenizer, type PreTokenizer } from './pre-tokenizer.js';
import type { TokenizerFile } from './tokenizer-files.js';
import { makeNormalizer } from './tokenizers-package.js';

export interface EncodeStages {
  /** Control tokens in the text become their ids. */
  readonly parseControl: boolean;
  /** Undoes stand-ins, once control tokens have been recognised. */
  restore?(text: string): string;
}

export class PromptEncoder {
  readonly #normalize: (text: string) => string;
  readonly #preTokenize: PreTokenizer;
  readonly #model: Bpe;
  /** Added tokens that are looked for in the text as it came, and those looked for after normalising. */
  readonly #raw: AddedTokenSplitter;
  readonly #normalized: AddedTokenSplitter;

  constructor(file: TokenizerFile, addedTokens: readonly AddedToken[]) {
    this.#normalize = makeNormalizer(file.normalizer);
    this.#preTokenize = makePreTokenizer(file.pre_tokenizer);
    this.#model = new Bpe(file.model);
    const isNormalized = (token: AddedToken) => token.normalized ?? !token.special;
    const raw = addedTokens.filter((token) => !isNormalized(token));
    this.#raw = new AddedTokenSplitter(raw, (token) => token.content);
    this.#normalized = new AddedTokenSplitter(addedTokens.filter(isNormalized), (token) =>
      this.#normalize(token.content),
    );
  }

  encode(text: string, stages: EncodeStages): number[] {
    const ids: number[] = [];
    for (const segment of this.#raw.split(wellFormed(text), stages.parseControl)) {
      if ('id' in segment) ids.push(segment.id);
      else {
        const plain = stages.restore?.(segment.text) ?? segment.text;
        this.#encodeSegment(plain, segment.atStart, stages.parseControl, ids);
      }
    }
    return ids;
  }

  #encodeSegment(text: string, atStart: boolean, parseControl: boolean, ids: number[]): void {
    for (const segment of this.#normalized.split(this.#normalize(text), parseControl, atStart)) {
      if ('id' in segment) ids.push(segment.id);
      else this.#encodePlain(segment.text, segment.atStart, ids);
    }
  }

  #encodePlain(text: string, atStart: boolean, ids: number[]): void {
    for (const piece of this.#preTokenize([text], atStart)) {
      for (const id of this.#model.encode(piece)) ids.push(id);
    }
  }
}

/** Half a surrogate pair has no UTF-8; it becomes U+FFFD as everywhere else on the web. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd');
}
