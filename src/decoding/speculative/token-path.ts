/** The committed tokens of a sequence followed by those of a draft, read from the end. */
export class TokenPath {
  readonly committed: readonly number[];
  /** Of the draft, in order. */
  readonly drafted: readonly number[];

  constructor(committed: readonly number[], drafted: readonly number[]) {
    this.committed = committed;
    this.drafted = drafted;
  }

  get length(): number {
    return this.committed.length + this.drafted.length;
  }

  /** The last token for 0, the one before it for 1, …; −1 before the beginning. */
  fromEnd(distance: number): number {
    const inDraft = this.drafted.length - 1 - distance;
    if (inDraft >= 0) return this.drafted[inDraft]!;
    return this.committed[this.committed.length + inDraft] ?? -1;
  }
}
