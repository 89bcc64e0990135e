/** The vocabulary by id: how each token is spelled and what bytes it stands for. */

import { isUtf8 } from 'node:buffer';
import type { AddedToken } from './added-tokens.js';
import type { TokenDecoder } from './token-bytes.js';

const NO_BYTES = new Uint8Array(0);

export class TokenTable {
  readonly #pieces: (string | undefined)[] = [];
  /** Filled on first use: most of a large vocabulary never appears. */
  readonly #bytes: (Uint8Array | undefined)[] = [];
  /** Filled on first use as well; null for bytes that are not whole characters. */
  readonly #texts: (string | null | undefined)[] = [];
  readonly #idOf = new Map<string, number>();
  readonly #decoder: TokenDecoder;
  readonly leadingSpaces: number;
  /** Characters of the longest token, which bounds how much text an id can stand for. */
  readonly longestPiece: number;

  constructor(vocab: Readonly<Record<string, number>>, added: readonly AddedToken[], decoder: TokenDecoder) {
    this.#decoder = decoder;
    this.leadingSpaces = decoder.leadingSpaces;
    let longest = 1;
    for (const [piece, id] of [
      ...Object.entries(vocab),
      ...added.map((token) => [token.content, token.id] as const),
    ]) {
      this.#pieces[id] = piece;
      this.#idOf.set(piece, id);
      longest = Math.max(longest, piece.length);
    }
    this.longestPiece = longest;
  }

  get size(): number {
    return this.#pieces.length;
  }

  idOf(piece: string | null | undefined): number | undefined {
    return piece ? this.#idOf.get(piece) : undefined;
  }

  /** Empty for an id that the vocabulary leaves out. */
  piece(id: number): string {
    return this.#pieces[id] ?? '';
  }

  bytes(id: number, first = false): Uint8Array {
    const piece = this.#pieces[id];
    if (piece === undefined) return NO_BYTES;
    if (first) return this.#decoder.bytes(piece, true);
    this.#bytes[id] ??= this.#decoder.bytes(piece, false);
    return this.#bytes[id];
  }

  /** Inside a text; undefined if the bytes are not whole characters. */
  text(id: number): string | undefined {
    let text = this.#texts[id];
    if (text === undefined) text = this.#texts[id] = wholeText(this.bytes(id));
    return text ?? undefined;
  }
}

function wholeText(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : null;
}
