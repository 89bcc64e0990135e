/**
 * All tokens by their bytes, as a prefix tree laid out in depth-first order: whoever walks it skips a whole
 * subtree as soon as its common prefix leads nowhere.
 */

/** Stands before the name of a control token; it occurs in no UTF-8 text, so no text spells one. */
export const CONTROL_BYTE = 0xff;

export interface VocabularySource {
  /** Rows of logits; ids without bytes are never allowed. */
  readonly size: number;
  /** Control tokens as `CONTROL_BYTE` and their name. */
  bytes(id: number): Uint8Array;
  readonly eosTokenIds: readonly number[];
}

export class Vocabulary {
  readonly size: number;
  readonly eosTokenIds: readonly number[];
  readonly #source: VocabularySource;
  /** In bytes. */
  readonly longestToken: number;
  /** Of each node: its last byte, its depth (1 at the top) and the node after its subtree. */
  readonly byte: Uint8Array;
  readonly depth: Uint16Array;
  readonly skip: Int32Array;
  /** Tokens of node i: `tokens[firstToken[i]]` up to, not including, `tokens[firstToken[i + 1]]`. */
  readonly firstToken: Int32Array;
  readonly tokens: Int32Array;

  constructor(source: VocabularySource) {
    this.size = source.size;
    this.eosTokenIds = source.eosTokenIds;
    this.#source = source;
    const entries = sortedEntries(source);
    this.longestToken = entries.reduce((longest, { bytes }) => Math.max(longest, bytes.length), 0);
    const shared = entries.map(({ bytes }, k) => commonLength(bytes, entries[k - 1]?.bytes));
    const nodes = entries.reduce((sum, { bytes }, k) => sum + bytes.length - shared[k]!, 0);
    this.byte = new Uint8Array(nodes);
    this.depth = new Uint16Array(nodes);
    this.skip = new Int32Array(nodes);
    this.firstToken = new Int32Array(nodes + 1);
    this.tokens = Int32Array.from(entries, ({ id }) => id);
    this.#lay(entries, shared);
    this.#link();
  }

  bytes(id: number): Uint8Array {
    return this.#source.bytes(id);
  }

  get nodes(): number {
    return this.byte.length;
  }

  #lay(entries: readonly Entry[], shared: readonly number[]): void {
    let node = 0;
    for (const [k, { bytes }] of entries.entries()) {
      for (let at = shared[k]!; at < bytes.length; at++) {
        this.byte[node] = bytes[at]!;
        this.depth[node] = at + 1;
        this.firstToken[node++] = k; // no token of its own unless the next node begins with a later one
      }
    }
    this.firstToken[node] = entries.length;
  }

  /** A subtree ends before the next node that is not deeper. */
  #link(): void {
    const open: number[] = [];
    for (let node = 0; node < this.nodes; node++) {
      while (open.length > 0 && this.depth[open.at(-1)!]! >= this.depth[node]!) this.skip[open.pop()!] = node;
      open.push(node);
    }
    for (const node of open) this.skip[node] = this.nodes;
  }
}

interface Entry {
  readonly id: number;
  readonly bytes: Uint8Array;
}

function sortedEntries(source: VocabularySource): Entry[] {
  const ends = new Set(source.eosTokenIds);
  const entries = Array.from({ length: source.size }, (_, id) => ({ id, bytes: source.bytes(id) }));
  return entries
    .filter(({ id, bytes }) => bytes.length > 0 && !ends.has(id))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes) || a.id - b.id);
}

function commonLength(a: Uint8Array, b: Uint8Array | undefined): number {
  let length = 0;
  while (b !== undefined && length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
