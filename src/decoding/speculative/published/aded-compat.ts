/**
 * ADED as its authors' code has it (arXiv 2407.12021, code of August 2024), for comparison: a tri-gram map that is
 * boosted on every step by what stands in a window, and a tree search over it. Its constants and habits are kept,
 * among them two that look unintended: weights that are not probabilities, and a search value that is always 1
 * (the code looks up the wrong pair), which leaves a search by visits and prior alone, so roll-outs are left out.
 */

import type { DraftShape, PublishedMethod } from './published-method.js';

const SIMULATIONS = 150;
/** Tokens of a path, the root included. */
const HORIZON = 4;
const C1 = 32;
const C2 = 8;
const BEST_SEQUENCES = 24;
const MAX_NODES = 64;
const WINDOW = 16;
const BOOST = 0.04;
const MAX_WEIGHT = 3;
/** The published code forgets nothing; here the pair that was met first goes beyond this many. */
const MAX_PAIRS = 50_000;
/** Drafted when nothing is known, so that there is always a draft. */
const ARBITRARY_TOKEN = 100;

interface SearchNode {
  readonly a: number;
  readonly b: number;
  readonly prior: number;
  readonly parent: SearchNode | undefined;
  readonly depth: number;
  children: SearchNode[];
  visits: number;
}

export class AdedCompat implements PublishedMethod {
  readonly source = 'ngram';
  readonly #successors = new Map<string, Map<number, number>>();

  draft(tokens: readonly number[]): DraftShape {
    this.#boost(tokens.slice(-WINDOW));
    const [a, b] = [tokens.at(-2) ?? -1, tokens.at(-1)!];
    const sequences = this.#sequences(this.#search(a, b));
    return toTree(sequences.length > 0 ? fitting(sequences) : [[ARBITRARY_TOKEN]]);
  }

  #boost(window: readonly number[]): void {
    for (let i = 2; i < window.length; i++) {
      const key = `${window[i - 2]},${window[i - 1]}`;
      const row = this.#successors.get(key) ?? new Map<number, number>();
      this.#successors.set(key, row);
      row.set(window[i]!, Math.min(MAX_WEIGHT, (row.get(window[i]!) ?? 0) + BOOST));
    }
    for (const key of this.#successors.keys()) {
      if (this.#successors.size <= MAX_PAIRS) break;
      this.#successors.delete(key);
    }
  }

  /** All nodes of the searched tree. */
  #search(a: number, b: number): SearchNode[] {
    const root: SearchNode = { a, b, prior: 1, parent: undefined, depth: 1, children: [], visits: 0 };
    const nodes = [root];
    for (let simulation = 0; simulation < SIMULATIONS; simulation++) {
      let node = root;
      while (node.children.length > 0) node = select(node);
      if (node.depth < HORIZON) {
        node.children = this.#expand(node);
        nodes.push(...node.children);
        node = node.children.at(-1) ?? node;
      }
      for (let at: SearchNode | undefined = node; at !== undefined; at = at.parent) at.visits++;
    }
    return nodes;
  }

  #expand(node: SearchNode): SearchNode[] {
    const row = this.#successors.get(`${node.a},${node.b}`) ?? [];
    return [...row].map(([token, prior]) => {
      return { a: node.b, b: token, prior, parent: node, depth: node.depth + 1, children: [], visits: 0 };
    });
  }

  /** The most visited paths, each with its heaviest continuation, without the root. */
  #sequences(nodes: readonly SearchNode[]): number[][] {
    const best = nodes.toSorted((x, y) => y.visits - x.visits).slice(0, BEST_SEQUENCES);
    return best.map((node) => [...pathTo(node), ...this.#heaviest(node)]).filter(({ length }) => length > 0);
  }

  #heaviest(node: SearchNode): number[] {
    const row = [...(this.#successors.get(`${node.a},${node.b}`) ?? [])];
    return row.length === 0 ? [] : [row.reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0]];
  }
}

/** The value of a visit is 1, so that visits are also the summed value. */
function select({ children, visits }: SearchNode): SearchNode {
  const exploration = C1 + Math.log((visits + C2 + 1) / C2);
  let best = children[0]!;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const child of children) {
    if (child.visits === 0) return child;
    const score = 1 + (exploration * child.prior * Math.sqrt(visits)) / (1 + child.visits);
    if (score > bestScore) [best, bestScore] = [child, score];
  }
  return best;
}

/** Without the root. */
function pathTo(node: SearchNode): number[] {
  const path: number[] = [];
  for (let at = node; at.parent !== undefined; at = at.parent) path.unshift(at.b);
  return path;
}

/** Each once; while they hold too many tokens, the most varied goes. */
function fitting(sequences: readonly (readonly number[])[]): (readonly number[])[] {
  const unique = [...new Map(sequences.map((sequence) => [sequence.join(), sequence])).values()];
  const kept = unique.map((sequence) => ({ sequence, distinct: new Set(sequence).size }));
  const total = () => kept.reduce((sum, { distinct }) => sum + distinct, 0);
  while (kept.length > 1 && total() > MAX_NODES) {
    const most = kept.reduce((best, entry, i) => (entry.distinct > kept[best]!.distinct ? i : best), 0);
    kept.splice(most, 1);
  }
  return kept.map(({ sequence }) => sequence);
}

function toTree(sequences: readonly (readonly number[])[]): DraftShape {
  const tokens: number[] = [];
  const parents: number[] = [];
  const find = (parent: number, token: number) =>
    tokens.findIndex((known, at) => known === token && parents[at] === parent);
  for (const sequence of sequences) {
    let parent = -1;
    for (const token of sequence) {
      let at = find(parent, token);
      if (at < 0 && tokens.length < MAX_NODES) {
        at = tokens.push(token) - 1;
        parents.push(parent);
      }
      if (at < 0) break;
      parent = at;
    }
  }
  return { tokens, parents };
}
