/**
 * Byte-pair encoding (Sennrich et al., arXiv 1508.07909): a piece starts as its characters, and the pair with
 * the earliest merge is joined until none is left. A heap of pairs makes a piece of n characters cost
 * n · log n, so that one endless word is no more trouble than many short ones.
 */

import { PairHeap } from './pair-heap.js';
import { damaged, type TokenizerFile, unsupported } from './tokenizer-files.js';

type BpeConfig = TokenizerFile['model'];

/** Words repeat; long pieces hardly ever do. */
const CACHE_PIECES = 20_000;
const CACHED_LENGTH = 64;

export class Bpe {
  readonly #vocab: ReadonlyMap<string, number>;
  /** Rank of each merge, by `left · size + right`; and what the pair becomes, by rank. */
  readonly #ranks = new Map<number, number>();
  readonly #merged: Int32Array;
  readonly #size: number;
  readonly #unknown: number | undefined;
  readonly #cache = new Map<string, readonly number[]>();

  constructor(private readonly config: BpeConfig) {
    checkFeatures(config);
    this.#vocab = new Map(Object.entries(config.vocab));
    this.#size = [...this.#vocab.values()].reduce((max, id) => Math.max(max, id), 0) + 1;
    this.#unknown = config.unk_token ? this.#vocab.get(config.unk_token) : undefined;
    this.#merged = new Int32Array(config.merges.length);
    config.merges.forEach((merge, rank) => {
      this.#addMerge(merge, rank);
    });
  }

  encode(piece: string): readonly number[] {
    const cached = this.#cache.get(piece);
    if (cached !== undefined) return cached;
    const whole = this.config.ignore_merges ? this.#vocab.get(piece) : undefined;
    const ids = whole === undefined ? this.#merge(this.#symbols(piece)) : [whole];
    if (piece.length <= CACHED_LENGTH) {
      if (this.#cache.size >= CACHE_PIECES) this.#cache.clear();
      this.#cache.set(piece, ids);
    }
    return ids;
  }

  #addMerge(merge: string | readonly [string, string], rank: number): void {
    const [left, right, ...rest] = typeof merge === 'string' ? merge.split(' ') : merge;
    const ids = [left, right, `${left}${right}`].map((piece) => this.#vocab.get(piece ?? ''));
    if (rest.length > 0 || ids.includes(undefined)) {
      throw damaged(
        'tokenizer.json',
        `model.merges.${rank} (${JSON.stringify(merge)}) is not about two tokens of the vocabulary`,
      );
    }
    this.#ranks.set(ids[0]! * this.#size + ids[1]!, rank);
    this.#merged[rank] = ids[2]!;
  }

  /** Characters as ids; those without one as their bytes, or as the unknown token, runs of it once if fused. */
  #symbols(piece: string): number[] {
    const ids: number[] = [];
    let afterUnknown = false;
    for (const char of piece) {
      const id = this.#vocab.get(char);
      const known = id === undefined ? this.#bytesOf(char) : [id];
      if (known !== undefined) ids.push(...known);
      else if (this.#unknown !== undefined && !(afterUnknown && this.config.fuse_unk))
        ids.push(this.#unknown);
      afterUnknown = known === undefined;
    }
    return ids;
  }

  #bytesOf(char: string): number[] | undefined {
    if (!this.config.byte_fallback) return undefined;
    const ids: number[] = [];
    for (const byte of Buffer.from(char, 'utf8')) {
      const id = this.#vocab.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
      if (id === undefined) return undefined;
      ids.push(id);
    }
    return ids;
  }

  /** Joins in place: `next` skips symbols that were joined to their left, whose id becomes −1. */
  #merge(ids: number[]): number[] {
    const count = ids.length;
    if (count < 2) return ids;
    const next = Int32Array.from({ length: count }, (_, at) => at + 1);
    const previous = Int32Array.from({ length: count }, (_, at) => at - 1);
    const rankAt = (at: number): number | undefined =>
      at < 0 || next[at]! >= count ? undefined : this.#ranks.get(ids[at]! * this.#size + ids[next[at]!]!);
    const heap = new PairHeap(count);
    const offer = (at: number) => {
      const rank = rankAt(at);
      if (rank !== undefined) heap.push(rank, at);
    };
    for (let at = 0; at < count; at++) offer(at);
    for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
      // A pair whose neighbours changed since it was offered has another rank, or none.
      const { rank, at } = pair;
      if (ids[at] === -1 || rankAt(at) !== rank) continue;
      const gone = next[at]!;
      ids[at] = this.#merged[rank]!;
      ids[gone] = -1;
      next[at] = next[gone]!;
      if (next[at]! < count) previous[next[at]!] = at;
      offer(previous[at]!);
      offer(at);
    }
    return ids.filter((id) => id !== -1);
  }
}

/** Options of other families that would change the result. */
function checkFeatures(config: BpeConfig): void {
  if (config.type !== 'BPE') throw unsupported('model', config.type, 'BPE');
  for (const name of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (config[name]) throw unsupported('model', `BPE with ${name}`, 'BPE without it');
  }
}
