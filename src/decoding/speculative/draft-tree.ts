/**
 * A draft that grows best first: of all tokens that may be added, the one that is most likely to be reached.
 * Since a path never gets likelier as it gets longer, the first k nodes are the best k for every k, so the tree
 * can be grown first and cut to the size that pays.
 */

import type { Calibrator } from './calibrator.js';
import { type DraftNode, tokensTo } from './draft-node.js';
import type { DraftSource } from './draft-source.js';
import type { Draft } from './drafter.js';
import { Expansion } from './expansion.js';
import { TokenPath } from './token-path.js';

/** What a token must pass to be drafted, besides being likely. */
export interface DraftRules {
  /** Tokens below which nothing can come. */
  isFinal(token: number): boolean;
  /** Tokens that cannot come anywhere. */
  isBanned(token: number): boolean;
  /** The tokens that a grammar allows after a path, as `TokenConstraint.allowed`; undefined for all, or without one. */
  readonly allowedAfter: ((path: TokenPath) => Uint32Array | undefined) | undefined;
}

export interface TreeInputs {
  readonly committed: readonly number[];
  readonly sources: readonly DraftSource[];
  readonly calibrator: Calibrator;
  readonly rules: DraftRules;
  readonly maxDepth: number;
}

/** Paths that are less likely than this are not worth a row. */
const MIN_REACH = 0.004;

const NO_TOKENS: readonly number[] = [];

export class DraftTree implements Draft {
  /** In the order of their reach. */
  readonly nodes: DraftNode[] = [];
  /** Proposals that the grammar did not allow. */
  rejectedByGrammar = 0;
  /** What may follow the anchor, drafted or not. */
  readonly children: readonly DraftNode[];
  readonly #inputs: TreeInputs;
  readonly #queue: DraftNode[] = [];
  /** Place of the likeliest node in the queue. */
  #next = 0;

  constructor(inputs: TreeInputs) {
    this.#inputs = inputs;
    this.children = inputs.maxDepth > 0 ? this.#expand(undefined) : [];
  }

  get nextReach(): number {
    return this.#queue[this.#next]?.reach ?? 0;
  }

  grow(): boolean {
    const best = this.#takeNext();
    if (best === undefined) return false;
    this.nodes.push(best);
    const { maxDepth, rules } = this.#inputs;
    const mayGoOn = best.depth < maxDepth && !rules.isFinal(best.token);
    if (mayGoOn) best.children = this.#expand(best);
    else this.#findNext();
    return true;
  }

  #expand(parent: DraftNode | undefined): readonly DraftNode[] {
    const { committed, sources, calibrator, rules } = this.#inputs;
    const path = new TokenPath(committed, parent === undefined ? NO_TOKENS : tokensTo(parent));
    const expansion = new Expansion(parent, rules.allowedAfter?.(path), rules);
    expansion.ask(sources, path);
    this.rejectedByGrammar += expansion.rejected;
    const children = expansion.weigh(calibrator);
    for (const child of children) if (child.reach >= MIN_REACH) this.#queue.push(child);
    this.#findNext();
    return children;
  }

  #takeNext(): DraftNode | undefined {
    const queue = this.#queue;
    const last = queue.pop();
    if (last === undefined || this.#next === queue.length) return last;
    const next = queue[this.#next]!;
    queue[this.#next] = last;
    return next;
  }

  /** A short queue: a scan is as fast as a heap. */
  #findNext(): void {
    const queue = this.#queue;
    let next = 0;
    for (let i = 1; i < queue.length; i++) if (queue[i]!.reach > queue[next]!.reach) next = i;
    this.#next = next;
  }
}
