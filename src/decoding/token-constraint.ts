/** What limits the tokens of one sequence, whatever the reason, with a state that follows its tokens. */

export interface TokenConstraint {
  /**
   * The tokens that may come next: bit `id % 32` of word `id / 32`. Shared and read-only. Throws a
   * `TrimtabError` if there are none, or if finding them takes too long.
   */
  allowed(): Uint32Array;
  /** True when nothing may follow, not even optionally: the sequence is over without an end token. */
  readonly complete: boolean;
  /** Takes the next token; one that is not allowed is a bug of the caller. */
  accept(tokenId: number): void;
  /** Takes back the last tokens, at most as many as were accepted. */
  rollback(count: number): void;
  /** Another constraint in the same state, for a branch of a draft. */
  fork(): TokenConstraint;
}

export function isAllowed(allowed: Uint32Array, tokenId: number): boolean {
  return ((allowed[tokenId >>> 5]! >>> (tokenId & 31)) & 1) === 1;
}

/** The only token that is allowed: it needs no model to predict it. Undefined if there are several. */
export function forcedToken(allowed: Uint32Array): number | undefined {
  let forced: number | undefined;
  for (let word = 0; word < allowed.length; word++) {
    const bits = allowed[word]!;
    if (bits === 0) continue;
    if (forced !== undefined || (bits & (bits - 1)) !== 0) return undefined;
    forced = word * 32 + (31 - Math.clz32(bits));
  }
  return forced;
}
