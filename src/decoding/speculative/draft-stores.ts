/**
 * What outlives a request: per scope (model, tenant and everything that shapes answers) the tri-grams and the
 * earlier answers. All scopes together stay within a number of bytes; the one that was not used for longest goes
 * first. Scopes never see each other's text, since even the time that a draft saves would tell of it.
 */

import { join } from 'node:path';
import { LRUCache } from 'lru-cache';
import type { DraftStats } from '../../core/backend.js';
import { pruneStores, readStore, storeFileName, writeStore } from './store-file.js';
import { SuffixIndex } from './suffix-index.js';
import type { TrigramReader } from './trigram-store.js';
import { TrigramStore } from './trigram-store.js';

/** Between two answers in the history; no token has this number. */
export const ANSWER_END = -2;

export interface ScopeStore {
  readonly trigrams: TrigramStore;
  readonly history: SuffixIndex;
  /** Set by whoever adds to it; cleared when it is written to disk. */
  dirty: boolean;
}

export interface StoreLimits {
  /** Of all scopes together. */
  readonly bytes: number;
  /** Tokens of earlier answers that one scope keeps. */
  readonly historyTokens: number;
  /** Where scopes are kept between runs; absent: in memory only. */
  readonly folder?: string | undefined;
  /** The layer below all scopes, which nobody writes to. */
  readonly corpus?: TrigramReader | undefined;
  /** Hears of files that cannot be used or written. */
  warn?(message: string): void;
}

/** What a scope may take of the whole, so that a busy one leaves room for others. */
const SCOPE_SHARE = 0.5;
const MAX_SCOPES = 256;
/** The files of all scopes together, relative to what is kept in memory. */
const FILES_SHARE = 4;

export class DraftStores {
  readonly #limits: StoreLimits;
  readonly #scopes: LRUCache<string, ScopeStore>;
  #evictedScopes = 0;

  constructor(limits: StoreLimits) {
    this.#limits = limits;
    this.#scopes = new LRUCache({ max: MAX_SCOPES });
  }

  scope(key: string): ScopeStore {
    const store = this.#scopes.get(key) ??
      this.#read(key) ?? {
        trigrams: new TrigramStore(this.#limits.bytes * SCOPE_SHARE),
        history: new SuffixIndex(this.#limits.historyTokens),
        dirty: false,
      };
    this.#scopes.set(key, store);
    this.#trim();
    return store;
  }

  /** What was counted beforehand, for all scopes. */
  get corpus(): TrigramReader | undefined {
    return this.#limits.corpus;
  }

  /** Writes what changed since the last time. */
  save(): void {
    this.#trim();
    for (const [key, store] of this.#scopes.entries()) this.#write(key, store);
  }

  /** Of all scopes; the corpus has a limit of its own. */
  get bytes(): number {
    const { trigrams, history } = this.bytesByLayer;
    return trigrams + history;
  }

  get bytesByLayer(): DraftStats['storeBytes'] {
    const stores = [...this.#scopes.values()];
    return {
      trigrams: stores.reduce((sum, { trigrams }) => sum + trigrams.bytes, 0),
      history: stores.reduce((sum, { history }) => sum + history.bytes, 0),
      base: this.corpus?.bytes ?? 0,
    };
  }

  get evictions(): number {
    let rows = 0;
    for (const { trigrams } of this.#scopes.values()) rows += trigrams.evictions;
    return this.#evictedScopes + rows;
  }

  /** Drops scopes until the rest fits; the newest always stays. */
  #trim(): void {
    while (this.#scopes.size > 1 && this.bytes > this.#limits.bytes) {
      const [oldest] = this.#scopes.rkeys();
      this.#write(oldest!, this.#scopes.peek(oldest!)!);
      this.#scopes.delete(oldest!);
      this.#evictedScopes++;
    }
  }

  #read(key: string): ScopeStore | undefined {
    const { folder, bytes, historyTokens } = this.#limits;
    if (folder === undefined) return undefined;
    try {
      const limits = { trigramBytes: bytes * SCOPE_SHARE, historyTokens };
      return readStore(join(folder, storeFileName(key)), key, limits);
    } catch (error) {
      this.#limits.warn?.(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  #write(key: string, store: ScopeStore): void {
    const { folder } = this.#limits;
    if (folder === undefined || !store.dirty) return;
    store.dirty = false;
    try {
      writeStore(join(folder, storeFileName(key)), key, store);
      pruneStores(folder, FILES_SHARE * this.#limits.bytes);
    } catch (error) {
      this.#limits.warn?.(`drafting cannot be remembered: ${error instanceof Error ? error.message : error}`);
    }
  }
}
