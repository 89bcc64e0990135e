/** The drafting side of one sequence: its sources, what it grows from them, and what it learns from each step. */

import type { Calibrator } from './calibrator.js';
import { DraftCounters } from './draft-counters.js';
import type { DraftSource, RankedRow, SourceName } from './draft-source.js';
import type { ScopeStore } from './draft-stores.js';
import { ANSWER_END } from './draft-stores.js';
import type { DraftNode, DraftRules } from './draft-tree.js';
import { DraftTree } from './draft-tree.js';
import { AlternativesSource } from './sources/alternatives-source.js';
import { ForcedSource } from './sources/forced-source.js';
import { NgramSource } from './sources/ngram-source.js';
import { PredictionSource } from './sources/prediction-source.js';
import { SuffixSource } from './sources/suffix-source.js';
import { SuffixIndex } from './suffix-index.js';
import { Suspension } from './suspension.js';

export interface DrafterOptions {
  /** Prompt and output; grows while the sequence runs. */
  readonly tokens: readonly number[];
  readonly promptLength: number;
  readonly prediction: readonly number[] | undefined;
  readonly sources: ReadonlySet<SourceName>;
  readonly calibrator: Calibrator;
  readonly rules: DraftRules;
  /** Most drafted tokens in a step. */
  readonly maxNodes: number;
  readonly store: ScopeStore;
  /** False leaves no trace in the store. */
  readonly remember: boolean;
}

const MAX_DEPTH = 24;

export class Drafter {
  readonly counters = new DraftCounters();
  readonly suspension = new Suspension();
  readonly #options: DrafterOptions;
  readonly #sources: readonly DraftSource[];
  readonly #alternatives = new AlternativesSource();
  readonly #predictionTried = new Set<number>();
  readonly #predictionAccepted = new Set<number>();
  /** Tokens that the sources have heard of. */
  #known: number;

  constructor(options: DrafterOptions) {
    this.#options = options;
    this.#sources = this.#openSources();
    this.#known = options.promptLength;
  }

  get maxNodes(): number {
    return this.suspension.active ? 0 : this.#options.maxNodes;
  }

  /** Positions of the prediction that were accepted, and that were tried and never accepted. */
  get prediction(): { readonly accepted: number; readonly rejected: number } {
    const accepted = this.#predictionAccepted.size;
    return { accepted, rejected: this.#predictionTried.size - accepted };
  }

  /** What may come next, not grown yet. `tokensLeft` is how many the sequence may still commit. */
  tree(tokensLeft: number): DraftTree {
    this.#catchUp();
    const { tokens, calibrator, rules } = this.#options;
    const maxDepth = Math.min(MAX_DEPTH, tokensLeft - 1);
    return new DraftTree({ committed: tokens, sources: this.#sources, calibrator, rules, maxDepth });
  }

  /** True if a source makes use of the model's rankings. */
  get wantsRanks(): boolean {
    return this.#sources.some(({ name }) => name === 'ngram' || name === 'alternatives');
  }

  /** After a step: `drafted` are the nodes that were verified, `committed` the tokens that came. Returns what was accepted. */
  learn(tree: DraftTree, drafted: readonly DraftNode[], committed: readonly number[]): DraftNode[] {
    const verified = new Set(drafted);
    const accepted: DraftNode[] = [];
    let parent: DraftNode | undefined;
    for (const token of committed) {
      const candidates = tree.considered.get(parent);
      if (candidates === undefined) break;
      // Also those that were not drafted: a calibrator that only hears of drafts never begins to draft again.
      for (const { features, token: offered } of candidates) {
        this.#options.calibrator.learn(features, offered === token);
      }
      parent = candidates.find((candidate) => candidate.token === token);
      if (parent === undefined) break;
      if (verified.has(parent)) accepted.push(parent);
    }
    this.counters.note(drafted, accepted);
    this.#notePrediction(drafted, accepted);
    return accepted;
  }

  /** The likeliest tokens after the pair `(a, b)`, as the model ranked them; `isLast` if the newest token was chosen from it. */
  recycle(a: number, b: number, row: RankedRow, isLast: boolean): void {
    if (this.#options.remember) this.#options.store.trigrams.recycle(a, b, row.tokens, row.weights);
    if (isLast) {
      this.#catchUp();
      this.#alternatives.observe(row);
    }
  }

  /** The sequence ended by itself: its answer becomes history. */
  finish(): void {
    const { store, tokens, promptLength, remember } = this.#options;
    if (!remember) return;
    store.history.append([...tokens.slice(promptLength), ANSWER_END]);
    store.dirty = true;
  }

  #catchUp(): void {
    const { tokens } = this.#options;
    if (this.#known === tokens.length) return;
    const fresh = tokens.slice(this.#known);
    this.#known = tokens.length;
    for (const source of this.#sources) source.commit(fresh);
  }

  #openSources(): DraftSource[] {
    const { tokens, promptLength, prediction, sources, store, remember, rules } = this.#options;
    const own = new SuffixIndex(Number.POSITIVE_INFINITY);
    own.append(tokens.slice(0, promptLength));
    const ngrams = new NgramSource(store.trigrams, remember);
    ngrams.begin(tokens[promptLength - 2] ?? -1, tokens[promptLength - 1] ?? -1);
    const all: DraftSource[] = [
      new ForcedSource((path) => rules.allowedAfter(path)),
      ...(prediction === undefined ? [] : [new PredictionSource(prediction)]),
      new SuffixSource('context', 0, own, true),
      ngrams,
      new SuffixSource('history', 2, store.history, false),
      this.#alternatives,
    ];
    return all.filter(({ name }) => sources.has(name));
  }

  #notePrediction(drafted: readonly DraftNode[], accepted: readonly DraftNode[]): void {
    const index = this.#sources.findIndex(({ name }) => name === 'prediction');
    if (index < 0) return;
    const note = (nodes: readonly DraftNode[], positions: Set<number>) => {
      for (const { cursors } of nodes) if (cursors[index] !== undefined) positions.add(cursors[index].at - 1);
    };
    note(drafted, this.#predictionTried);
    note(accepted, this.#predictionAccepted);
  }
}
