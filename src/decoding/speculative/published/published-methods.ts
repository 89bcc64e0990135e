/** The published methods by name, with what each of them remembers of a tenant. */

import { LRUCache } from 'lru-cache';
import type { FixedDraftMethod } from '../../../core/efficiency.js';
import { AdedCompat } from './aded-compat.js';
import { promptLookup } from './prompt-lookup.js';
import type { PublishedMethod } from './published-method.js';

/** Tenants whose tri-grams `aded-compat` keeps. */
const MAX_SCOPES = 4;

export class PublishedMethods {
  readonly #aded = new LRUCache<string, AdedCompat>({ max: MAX_SCOPES });

  open(name: FixedDraftMethod, scope: string): PublishedMethod {
    if (name === 'prompt-lookup') return promptLookup;
    const known = this.#aded.get(scope) ?? new AdedCompat();
    this.#aded.set(scope, known);
    return known;
  }
}
