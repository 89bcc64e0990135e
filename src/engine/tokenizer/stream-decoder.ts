/**
 * Token ids to text, one at a time. Decoding a whole sequence is this same machine run to the end, so that
 * streamed and unstreamed text cannot differ.
 */

import type { TextStream } from './tokenizer.js';

/** What the decoder needs to know about tokens. */
export interface TokenSource {
  /** Bytes of a token inside a text; `first` if it begins one. */
  bytes(id: number, first: boolean): Uint8Array;
  /** The same inside a text as text, if the bytes are whole characters. */
  text(id: number): string | undefined;
  /** Spaces to take off the start of a text. */
  readonly leadingSpaces: number;
  /** Tokens that leave no trace. */
  readonly skipped: ReadonlySet<number>;
}

const SPACE = 0x20;
const FIRST_BEYOND_ASCII = 0x80;

/** Constant work per token: unfinished characters wait inside the UTF-8 decoder, at most three bytes. */
export class StreamDecoder implements TextStream {
  // Malformed bytes become U+FFFD by the rule of the Encoding Standard, also that of Rust's `from_utf8_lossy`.
  readonly #utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
  #first: boolean;
  #spacesToStrip: number;
  /** True if no character waits in the decoder, which most tokens then need not pass. */
  #isWhole = true;

  /** `continuation`: other text stands before, so the rules for the start of a text do not apply. */
  constructor(
    private readonly source: TokenSource,
    continuation: boolean,
  ) {
    this.#first = !continuation;
    this.#spacesToStrip = continuation ? 0 : source.leadingSpaces;
  }

  push(id: number): string {
    if (this.source.skipped.has(id)) return '';
    const isInside = this.#isWhole && !this.#first && this.#spacesToStrip === 0;
    return (isInside ? this.source.text(id) : undefined) ?? this.#decode(id);
  }

  finish(): string {
    return this.#utf8.decode();
  }

  #decode(id: number): string {
    const bytes = this.source.bytes(id, this.#first);
    this.#first = false;
    // A byte of ASCII ends whatever came before it.
    this.#isWhole = bytes.length === 0 ? this.#isWhole : bytes.at(-1)! < FIRST_BEYOND_ASCII;
    return this.#utf8.decode(this.#stripStart(bytes), { stream: true });
  }

  #stripStart(bytes: Uint8Array): Uint8Array {
    let from = 0;
    while (from < bytes.length && from < this.#spacesToStrip && bytes[from] === SPACE) from++;
    if (from < bytes.length) this.#spacesToStrip = 0;
    else this.#spacesToStrip -= from;
    return bytes.subarray(from);
  }
}
