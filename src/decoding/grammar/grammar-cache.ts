/** Grammars of one model, kept with the automata that grew from them: the next request finds its masks ready. */

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Expression, ExpressionPool } from './expressions.js';
import { boundedLanguage } from './format-language.js';
import { TokenAutomaton } from './token-automaton.js';
import { Vocabulary, type VocabularySource } from './vocabulary.js';

const MAX_GRAMMARS = 64;
/** Beyond this, grammars that were not used for the longest time are dropped. */
const MAX_BYTES = 256 * 2 ** 20;

export class GrammarCache {
  readonly #source: VocabularySource;
  readonly #automata = new LRUCache<string, TokenAutomaton>({ max: MAX_GRAMMARS });
  #vocabulary: Vocabulary | undefined;

  constructor(
    source: VocabularySource,
    private readonly maxBytes = MAX_BYTES,
  ) {
    this.#source = source;
  }

  /**
   * `key` tells grammars apart, `read` makes one that is not known yet. Throws a `TrimtabError` that names
   * `field`, or a part of it, if it is wrong or cannot be enforced.
   */
  get(key: unknown, field: string, read: (pool: ExpressionPool) => Expression): TokenAutomaton {
    const hash = createHash('sha256').update(JSON.stringify(key)).digest('base64');
    this.#makeRoom();
    const known = this.#automata.get(hash);
    if (known !== undefined) return known;
    const { pool, grammar } = boundedLanguage(field, read);
    this.#vocabulary ??= new Vocabulary(this.#source);
    const automaton = new TokenAutomaton(pool, this.#vocabulary, grammar, field);
    automaton.allowed(automaton.start); // what cannot begin is refused now and not after the first token
    this.#automata.set(hash, automaton);
    return automaton;
  }
  /** Grammars grow while they are used, so they are weighed anew. */
  #makeRoom(): void {
    let bytes = 0;
    for (const automaton of this.#automata.values()) bytes += automaton.bytes;
    while (bytes > this.maxBytes) bytes -= this.#automata.pop()?.bytes ?? bytes;
  }
}
