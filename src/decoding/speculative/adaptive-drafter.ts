/** Drafts that grow from all sources: what one sequence proposes, and what it learns from each step. */

import type { Calibrator } from './calibrator.js';
import { DraftCounters } from './draft-counters.js';
import type { DraftNode } from './draft-node.js';
import type { DraftSource, RankedRow, SourceName } from './draft-source.js';
import type { ScopeStore } from './draft-stores.js';
import { ANSWER_END } from './draft-stores.js';
import type { DraftRules } from './draft-tree.js';
import { DraftTree } from './draft-tree.js';
import type { Drafter, PredictionUse } from './drafter.js';
import type { LookingPace } from './looking-pace.js';
import { AlternativesSource } from './sources/alternatives-source.js';
import { CorpusSource } from './sources/corpus-source.js';
import { ForcedSource } from './sources/forced-source.js';
import { countPairs, NgramSource } from './sources/ngram-source.js';
import { PredictionSource } from './sources/prediction-source.js';
import { SuffixSource } from './sources/suffix-source.js';
import { SuffixIndex } from './suffix-index.js';
import type { TrigramReader } from './trigram-store.js';
import { TrigramStore } from './trigram-store.js';

export interface AdaptiveDrafterOptions {
  /** Prompt and output; grows while the sequence runs. */
  readonly tokens: readonly number[];
  readonly promptLength: number;
  /** The caller's guess, in one reading or several. */
  readonly prediction: readonly (readonly number[])[] | undefined;
  readonly sources: ReadonlySet<SourceName>;
  readonly calibrator: Calibrator;
  readonly pace: LookingPace;
  readonly rules: DraftRules;
  /** Most drafted tokens in a step. */
  readonly maxNodes: number;
  readonly store: ScopeStore;
  /** What was counted beforehand, if anything. */
  readonly corpus: TrigramReader | undefined;
  /** False leaves no trace in the store. */
  readonly remember: boolean;
}

const MAX_DEPTH = 24;
/** Of the tri-grams of one request. */
const REQUEST_BYTES = 2 ** 21;
/** Tokens of a prompt, counted from its end, whose tri-grams are looked at. */
const MAX_PROMPT = 4096;

export class AdaptiveDrafter implements Drafter {
  readonly counters = new DraftCounters();
  readonly isFixed = false;
  readonly wantsRanks: boolean;
  readonly #options: AdaptiveDrafterOptions;
  readonly #sources: readonly DraftSource[];
  readonly #alternatives = new AlternativesSource();
  /** Tri-grams that end with the request. */
  readonly #own = new TrigramStore(REQUEST_BYTES);
  /** Tri-grams that learn from the answer. */
  readonly #counting: TrigramStore;
  /** Place of the caller's guess among the sources, −1 without one. */
  readonly #guess: number;
  readonly #predictionTried = new Set<number>();
  readonly #predictionAccepted = new Set<number>();
  /** Tokens that the sources have heard of. */
  #known: number;
  #tree: DraftTree | undefined;

  constructor(options: AdaptiveDrafterOptions) {
    this.#options = options;
    this.#counting = options.remember ? options.store.trigrams : this.#own;
    this.#sources = this.#openSources();
    this.#guess = this.#sources.findIndex((source) => source instanceof PredictionSource);
    this.wantsRanks = options.sources.has('ngram') || options.sources.has('alternatives');
    this.#known = options.promptLength;
  }

  get maxNodes(): number {
    return this.#options.maxNodes;
  }

  get pace(): LookingPace {
    return this.#options.pace;
  }

  get prediction(): PredictionUse {
    const accepted = this.#predictionAccepted.size;
    return { accepted, rejected: this.#predictionTried.size - accepted };
  }

  draft(tokensLeft: number): DraftTree {
    this.#catchUp();
    const { tokens, calibrator, rules } = this.#options;
    const maxDepth = Math.min(MAX_DEPTH, tokensLeft - 1);
    this.#tree = new DraftTree({ committed: tokens, sources: this.#sources, calibrator, rules, maxDepth });
    return this.#tree;
  }

  learn(drafted: readonly DraftNode[], committed: readonly number[]): boolean {
    const { calibrator } = this.#options;
    const accepted: DraftNode[] = [];
    let candidates = this.#tree?.children;
    for (const token of committed) {
      if (candidates === undefined) break;
      let next: DraftNode | undefined;
      // Also those that were not drafted: a calibrator that only hears of drafts never begins to draft again.
      for (const candidate of candidates) {
        const hit = candidate.token === token;
        calibrator.learn(candidate.features, hit);
        if (hit) next = candidate;
      }
      if (next === undefined) break;
      if (drafted.includes(next)) accepted.push(next);
      candidates = next.children;
    }
    this.counters.note(drafted, accepted, committed.length);
    this.counters.rejectedByGrammar += this.#tree?.rejectedByGrammar ?? 0;
    if (this.#guess >= 0) this.#notePrediction(drafted, accepted);
    return likeliest(this.#tree?.children)?.token === committed[0];
  }

  recycle(a: number, b: number, row: RankedRow, isLast: boolean): void {
    this.#counting.recycle(a, b, row.tokens, row.weights);
    if (isLast) {
      this.#catchUp();
      this.#alternatives.observe(row);
    }
  }

  finish(): void {
    const { store, tokens, promptLength, remember } = this.#options;
    if (!remember) return;
    store.history.append([...tokens.slice(promptLength), ANSWER_END]);
    store.dirty = true;
  }

  #catchUp(): void {
    const { tokens } = this.#options;
    const from = this.#known;
    if (from === tokens.length) return;
    this.#known = tokens.length;
    for (const source of this.#sources) source.commit(tokens, from);
  }

  #openSources(): DraftSource[] {
    const { tokens, promptLength, prediction, sources, store, corpus, rules } = this.#options;
    const own = new SuffixIndex(Number.POSITIVE_INFINITY);
    own.append(tokens.slice(0, promptLength));
    const ngrams = this.#openNgrams();
    const all: DraftSource[] = [
      ...(rules.allowedAfter === undefined ? [] : [new ForcedSource()]),
      ...(prediction === undefined ? [] : [new PredictionSource(prediction)]),
      new SuffixSource('context', 0, own, true),
      ngrams,
      new SuffixSource('history', 2, store.history, false),
      this.#alternatives,
      ...(corpus === undefined ? [] : [new CorpusSource(corpus)]),
    ];
    return all.filter(({ name }) => sources.has(name));
  }

  /** What the tenant was answered, and in a layer that ends with the request what it asked. */
  #openNgrams(): NgramSource {
    const { tokens, promptLength, store, sources } = this.#options;
    const ngrams = new NgramSource({ layers: [this.#own, store.trigrams], counting: this.#counting });
    const prompt = tokens.slice(Math.max(0, promptLength - MAX_PROMPT), promptLength);
    if (sources.has('ngram')) countPairs(this.#own, prompt);
    return ngrams;
  }

  #notePrediction(drafted: readonly DraftNode[], accepted: readonly DraftNode[]): void {
    const source = this.#sources[this.#guess] as PredictionSource;
    const note = (nodes: readonly DraftNode[], positions: Set<number>) => {
      for (const { cursors } of nodes) {
        const cursor = cursors?.[this.#guess];
        if (cursor !== undefined) positions.add(source.positionOf(cursor));
      }
    };
    note(drafted, this.#predictionTried);
    note(accepted, this.#predictionAccepted);
  }
}

function likeliest(nodes: readonly DraftNode[] | undefined): DraftNode | undefined {
  let best: DraftNode | undefined;
  for (const node of nodes ?? []) if (best === undefined || node.reach > best.reach) best = node;
  return best;
}
