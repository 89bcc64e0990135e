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

export class PrefixCache {
  #blocks: LRUCache<string, KvRows> | undefined;
  #queriedTokens = 0;
  #hitTokens = 0;

  /** 0 bytes turns the cache off. */
  constructor(maxBytes: number) {
    if (maxBytes <= 0) return;
    this.#blocks = new LRUCache({ maxSize: maxBytes, sizeCalculation: (rows) => rows.data.byteLength });
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

  /**
   * The longest known beginning of `tokens`, in order. It always leaves at least the last token to be
   * computed, since somebody needs its logits.
   */
  match(scope: string, tokens: readonly number[], images: readonly ImageSpan[] = []): KvRows[] {
    const found: KvRows[] = [];
    const keys = this.#blocks === undefined ? [] : blockKeys(scope, tokens, images, tokens.length - 1);
    for (const key of keys) {
      const rows = this.#blocks?.peek(key);
      if (rows === undefined) break;
      found.push(rows);
    }
    this.#touch(keys.slice(0, found.length));
    this.#queriedTokens += tokens.length;
    this.#hitTokens += found.length * PREFIX_BLOCK_TOKENS;
    return found;
  }

  /** Copies the whole blocks among `tokens`, whose keys and values are the first ones of the lane. */
  store(
    scope: string,
    tokens: readonly number[],
    cache: LaneCache,
    lane: number,
    images: readonly ImageSpan[] = [],
  ): void {
    if (this.#blocks === undefined) return;
    const keys = blockKeys(scope, tokens, images, Math.min(tokens.length, cache.length(lane)));
    for (let block = keys.length - 1; block >= 0; block--) {
      if (this.#blocks.get(keys[block]!) !== undefined) continue;
      const from = block * PREFIX_BLOCK_TOKENS;
      this.#blocks.set(keys[block]!, cache.read(lane, from, from + PREFIX_BLOCK_TOKENS));
    }
  }

  /** Last block first: a beginning must outlive what continues it, which is unreachable without it. */
  #touch(keys: readonly string[]): void {
    for (const key of keys.toReversed()) this.#blocks?.get(key);
  }
}

/** Keys of the whole blocks among the first `length` tokens. */
function blockKeys(
  scope: string,
  tokens: readonly number[],
  images: readonly ImageSpan[],
  length: number,
): string[] {
  const keys: string[] = [];
  let parent = createHash('sha256').update(scope).digest('base64');
  for (let from = 0; from + PREFIX_BLOCK_TOKENS <= length; from += PREFIX_BLOCK_TOKENS) {
    const to = from + PREFIX_BLOCK_TOKENS;
    const block = Int32Array.from(tokens.slice(from, to));
    const names = spanNames(images, from, to);
    parent = createHash('sha256').update(parent).update(block).update(names).digest('base64');
    keys.push(parent);
  }
  return keys;
}
