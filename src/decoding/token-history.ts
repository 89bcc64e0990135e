/** The tokens that penalties look at, with counts kept up to date as tokens come and drafts are undone. */

export class TokenHistory {
  readonly #prompt: ArrayLike<number>;
  readonly #output: number[] = [];
  readonly #outputCounts = new Map<number, number>();
  #promptTokens: Set<number> | undefined;

  constructor(prompt: ArrayLike<number>) {
    this.#prompt = prompt;
  }

  get outputLength(): number {
    return this.#output.length;
  }

  /** Distinct tokens of the prompt, collected on first use since most requests never ask. */
  get promptTokens(): ReadonlySet<number> {
    this.#promptTokens ??= new Set(Array.from(this.#prompt));
    return this.#promptTokens;
  }

  /** How often each token occurs in the output so far; never holds a zero. */
  get outputCounts(): ReadonlyMap<number, number> {
    return this.#outputCounts;
  }

  append(tokenId: number): void {
    this.#output.push(tokenId);
    this.#outputCounts.set(tokenId, (this.#outputCounts.get(tokenId) ?? 0) + 1);
  }

  /** Forgets the output from `length` on. */
  truncate(length: number): void {
    while (this.#output.length > length) this.#forget(this.#output.pop()!);
  }

  #forget(tokenId: number): void {
    const count = this.#outputCounts.get(tokenId)! - 1;
    if (count === 0) this.#outputCounts.delete(tokenId);
    else this.#outputCounts.set(tokenId, count);
  }
}
