/**
 * Finds a string that is too long in a JSON body while it arrives, so that an image of 50 MB is refused for what it is,
 * and neither kept nor parsed.
 */

import { TrimtabError } from '../core/errors.js';

const quote = 0x22;
const dataUrlStart = 'data:';

export class LongStringGuard {
  readonly #maxLength: number;
  /** Bytes since the last quotation mark, and the first few of them. */
  #length = 0;
  #start = '';

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** What is wrong once a string is too long: `invalid_image` if that is a data URL, else `invalid_request`. */
  push(chunk: Uint8Array): TrimtabError | undefined {
    let from = 0;
    for (let end = chunk.indexOf(quote); end >= 0; end = chunk.indexOf(quote, from)) {
      this.#grow(chunk, from, end);
      if (this.#length > this.#maxLength) return this.#tooLong();
      from = end + 1;
      this.#length = 0;
      this.#start = '';
    }
    this.#grow(chunk, from, chunk.length);
    return this.#length > this.#maxLength ? this.#tooLong() : undefined;
  }

  #grow(chunk: Uint8Array, from: number, end: number): void {
    if (this.#start.length < dataUrlStart.length) {
      this.#start += Buffer.from(chunk.subarray(from, Math.min(end, from + dataUrlStart.length))).toString(
        'latin1',
      );
    }
    this.#length += end - from;
  }

  #tooLong(): TrimtabError {
    const limit = `longer than ${this.#maxLength} bytes, the limit for one string`;
    return this.#start.toLowerCase().startsWith(dataUrlStart)
      ? new TrimtabError('invalid_image', `A data URL is ${limit}; an image may take three quarters of that.`)
      : new TrimtabError('invalid_request', `A string in the body is ${limit}.`);
  }
}
