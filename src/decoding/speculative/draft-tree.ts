/**
 * A draft that grows best first: of all tokens that may be added, the one that is most likely to be reached.
 * Since a path never gets likelier as it gets longer, the first k nodes are the best k for every k, so the tree
 * can be grown first and cut to the size that pays.
 */

import { isAllowed } from '../token-constraint.js';
import type { Calibrator, Features } from './calibrator.js';
import type { Cursor, DraftSource, SourceName } from './draft-source.js';
import type { Draft } from './drafter.js';
import { TokenPath } from './token-path.js';

export interface DraftNode {
  readonly token: number;
  /** Undefined below the anchor. */
  readonly parent: DraftNode | undefined;
  /** 1 below the anchor. */
  readonly depth: number;
  /** Chance that the model comes this way. */
  readonly reach: number;
  readonly features: Features;
  /** The sources that proposed it. */
  readonly sources: readonly SourceName[];
  readonly cursors: readonly (Cursor | undefined)[];
}

/** What a token must pass to be drafted, besides being likely. */
export interface DraftRules {
  /** Tokens below which nothing can come. */
  isFinal(token: number): boolean;
  /** Tokens that cannot come anywhere. */
  isBanned(token: number): boolean;
  /** The tokens that a grammar allows after a path, as `TokenConstraint.allowed`; undefined for all. */
  allowedAfter(path: TokenPath): Uint32Array | undefined;
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

export class DraftTree implements Draft {
  /** In the order of their reach. */
  readonly nodes: DraftNode[] = [];
  /** Proposals that the grammar did not allow. */
  rejectedByGrammar = 0;
  /** Every candidate whose parent is in the tree (undefined: the anchor), drafted or not. */
  readonly considered = new Map<DraftNode | undefined, DraftNode[]>();
  readonly #inputs: TreeInputs;
  readonly #queue: DraftNode[] = [];

  constructor(inputs: TreeInputs) {
    this.#inputs = inputs;
    if (inputs.maxDepth > 0) this.#expand(undefined);
  }

  get nextReach(): number {
    return this.#queue.reduce((most, { reach }) => Math.max(most, reach), 0);
  }

  grow(): boolean {
    const best = this.#takeBest();
    if (best === undefined) return false;
    this.nodes.push(best);
    if (best.depth < this.#inputs.maxDepth && !this.#inputs.rules.isFinal(best.token)) this.#expand(best);
    return true;
  }

  #expand(parent: DraftNode | undefined): void {
    const path = new TokenPath(this.#inputs.committed, tokensTo(parent));
    const children = this.#candidates(path, parent);
    this.considered.set(parent, children);
    for (const child of children) if (child.reach >= MIN_REACH) this.#queue.push(child);
  }

  /** What the sources propose, each token once, with what all of them say of it. */
  #candidates(path: TokenPath, parent: DraftNode | undefined): DraftNode[] {
    const { sources, calibrator, rules } = this.#inputs;
    const allowed = rules.allowedAfter(path);
    const merged = new Map<number, Merged>();
    const otherwise: [number, number, number] = [0, 0, 0];
    sources.forEach((source, index) => {
      const expansion = source.expand(path, parent?.cursors[index]);
      if (otherwise[source.slot] === 0) otherwise[source.slot] = expansion.otherwise;
      for (const { token, feature, cursor } of expansion.proposals) {
        if (rules.isBanned(token)) continue;
        if (allowed !== undefined && !isAllowed(allowed, token)) {
          this.rejectedByGrammar++;
          continue;
        }
        const entry = merged.get(token) ?? newMerged(sources.length);
        merged.set(token, entry);
        entry.features[source.slot] ??= feature;
        entry.cursors[index] = cursor;
        entry.sources.push(source.name);
      }
    });
    const chances = [...merged].map(([token, { features, cursors, sources: names }]) => {
      const known: Features = [
        features[0] ?? otherwise[0],
        features[1] ?? otherwise[1],
        features[2] ?? otherwise[2],
      ];
      return { token, features: known, cursors, names, p: calibrator.probability(known) };
    });
    const total = Math.max(
      1,
      chances.reduce((sum, { p }) => sum + p, 0),
    );
    const [reach, depth] = [parent?.reach ?? 1, (parent?.depth ?? 0) + 1];
    return chances.map(({ token, features, cursors, names, p }) => {
      return { token, parent, depth, reach: (reach * p) / total, features, cursors, sources: names };
    });
  }

  /** A short queue: a scan is as fast as a heap. */
  #takeBest(): DraftNode | undefined {
    const queue = this.#queue;
    if (queue.length === 0) return undefined;
    let best = 0;
    for (let i = 1; i < queue.length; i++) if (queue[i]!.reach > queue[best]!.reach) best = i;
    const node = queue[best]!;
    queue[best] = queue.at(-1)!;
    queue.pop();
    return node;
  }
}

interface Merged {
  readonly features: (number | undefined)[];
  readonly cursors: (Cursor | undefined)[];
  readonly sources: SourceName[];
}

function newMerged(sources: number): Merged {
  return {
    features: [undefined, undefined, undefined],
    cursors: Array(sources).fill(undefined),
    sources: [],
  };
}

/** From the anchor's child to the node itself. */
export function tokensTo(node: DraftNode | undefined): number[] {
  const tokens: number[] = [];
  for (let at = node; at !== undefined; at = at.parent) tokens.push(at.token);
  return tokens.reverse();
}
