/**
 * Drafts as a published method has them, verified whole whatever a step costs: to compare with, on the same model
 * and under the same exact verification.
 */

import { DraftCounters } from './draft-counters.js';
import { DraftNode } from './draft-node.js';
import { type SourceName, sourceBit } from './draft-source.js';
import type { Draft, Drafter } from './drafter.js';
import type { DraftShape, PublishedMethod } from './published/published-method.js';

export interface FixedDrafterOptions {
  readonly method: PublishedMethod;
  /** Prompt and output; grows while the sequence runs. */
  readonly tokens: readonly number[];
  /** Most drafted tokens in a step. */
  readonly maxNodes: number;
}

export class FixedDrafter implements Drafter {
  readonly counters = new DraftCounters();
  readonly isFixed = true;
  readonly pace = undefined;
  readonly wantsRanks = false;
  readonly prediction = { accepted: 0, rejected: 0 };
  readonly #options: FixedDrafterOptions;

  constructor(options: FixedDrafterOptions) {
    this.#options = options;
  }

  get maxNodes(): number {
    return this.#options.maxNodes;
  }

  draft(tokensLeft: number): Draft {
    const { method, tokens } = this.#options;
    const nodes = nodesOf(method.draft(tokens), method.source).filter(({ depth }) => depth < tokensLeft);
    return { nodes, nextReach: 0, grow: () => false };
  }

  learn(drafted: readonly DraftNode[], committed: readonly number[]): boolean {
    const accepted: DraftNode[] = [];
    for (const token of committed) {
      const parent = accepted.at(-1);
      const next = drafted.find((node) => node.parent === parent && node.token === token);
      if (next === undefined) break;
      accepted.push(next);
    }
    this.counters.note(drafted, accepted, committed.length);
    return accepted.length > 0;
  }

  recycle(): void {}

  finish(): void {}
}

function nodesOf({ tokens, parents }: DraftShape, source: SourceName): DraftNode[] {
  const nodes: DraftNode[] = [];
  for (const [at, token] of tokens.entries()) {
    const node = new DraftNode(token, nodes[parents[at]!]);
    node.sources = sourceBit(source);
    nodes.push(node);
  }
  return nodes;
}
