/**
 * Keys and values of finished prefixes, in blocks, least recently used first out. A block is addressed by a
 * hash chain over everything that shaped it: the scope (weights, precision, salt, …), every token up to its end
 * and the images that stand behind placeholders, so that requests which share a beginning share its blocks and
 * nothing else can ever match.
 */

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ImageSpan } from '../sequence/image-span.js';
import { spanNames } from '../sequence/image-span.js';
import type { KvRows, LaneCache } from './lane-cache.js';

export const PREFIX_BLOCK_TOKENS = 16;

/** What a block is looked up by. */
export interface Prefix {
  /** Everything that shapes keys and values besides tokens and images. */
  readonly scope: string;
  readonly tokens: readonly number[];
  readonly images?: readonly ImageSpan[];
  /** Tokens of the first block, if not the usual number. */
  readonly whole?: number;
  /** From token `at` on the blocks hold something else, which `scope` names. Blocks end there, too. */
  readonly split?: { readonly at: number; readonly scope: string } | undefined;
}

export class PrefixCache {
  #blocks: LRUCache<string, KvRows> | undefined;
  #queriedTokens = 0;
  #hitTokens = 0;

  /** 0 bytes turns the cache off. */
  constructor(maxBytes: number) {
    if (maxBytes <= 0) return;
    this.#blocks = new LRUCache({ maxSize: maxBytes, sizeCalculation: bytesOf });
  }

  get bytes(): number {
    return this.#blocks?.calculatedSize ?? 0;
  }

  get queriedTokens(): number {
    return this.#queriedTokens;
  }

  get hitTokens(): number {
    return this.#hitTokens;
  }

  /** The longest known beginning of the tokens, at most `most` of them, in order. */
  match(prefix: Prefix, most: number): KvRows[] {
    const found: KvRows[] = [];
    const blocks = this.#blocks === undefined ? [] : blocksOf(prefix, most);
    for (const { key } of blocks) {
      const rows = this.#blocks?.peek(key);
      if (rows === undefined) break;
      found.push(rows);
    }
    this.#touch(blocks.slice(0, found.length));
    this.#queriedTokens += prefix.tokens.length;
    this.#hitTokens += found.reduce((sum, { length }) => sum + length, 0);
    return found;
  }

  /** Copies the whole blocks among `tokens`, whose keys and values are the first ones of the lane. */
  store(prefix: Prefix, cache: LaneCache, lane: number): void {
    if (this.#blocks === undefined) return;
    const blocks = blocksOf(prefix, Math.min(prefix.tokens.length, cache.length(lane)));
    for (const { key, from, to } of blocks.toReversed()) {
      if (this.#blocks.get(key) === undefined) this.#blocks.set(key, cache.read(lane, from, to));
    }
  }

  /** Last block first: a beginning must outlive what continues it, which is unreachable without it. */
  #touch(blocks: readonly Block[]): void {
    for (const { key } of blocks.toReversed()) this.#blocks?.get(key);
  }
}

interface Block {
  readonly key: string;
  readonly from: number;
  readonly to: number;
}

/** The whole blocks among the first `length` tokens. */
function blocksOf({ scope, tokens, images = [], split, whole }: Prefix, length: number): Block[] {
  const blocks: Block[] = [];
  let key = createHash('sha256').update(scope).digest('base64');
  for (let from = 0; ; from = blocks.at(-1)!.to) {
    const isBehind = split !== undefined && from >= split.at;
    const end = from === 0 && whole !== undefined ? whole : from + PREFIX_BLOCK_TOKENS;
    const to = split === undefined || isBehind ? end : Math.min(end, split.at);
    if (to > length) return blocks;
    key = createHash('sha256')
      .update(key)
      .update(JSON.stringify([isBehind ? split.scope : null, spanNames(images, from, to)]))
      .update(Int32Array.from(tokens.slice(from, to)))
      .digest('base64');
    blocks.push({ key, from, to });
  }
}

/** Names the first `length` tokens with all that shapes them. */
export function prefixKey({ scope, tokens, images = [] }: Prefix, length: number): string {
  return createHash('sha256')
    .update(JSON.stringify([scope, spanNames(images, 0, length)]))
    .update(Int32Array.from(tokens.slice(0, length)))
    .digest('base64');
}

function bytesOf({ data, waiting }: KvRows): number {
  const floats = (waiting?.rows ?? []).map(({ heads, residual }) => heads.length + residual.length);
  return floats.reduce((sum, count) => sum + 4 * count, data.byteLength);
}
