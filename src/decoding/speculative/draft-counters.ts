/** What drafting did and what it cost, for a request's receipt and for the metrics of a model. */

import type { SourceName } from './draft-source.js';
import { sourceNames } from './draft-source.js';
import type { DraftNode } from './draft-tree.js';

/** Depths and sizes of drafts that are counted on their own. */
export const COUNTED_DEPTHS = 24;
export const COUNTED_NODES = 64;

export class DraftCounters {
  /** Steps that verified a draft, and steps that had none. */
  draftedSteps = 0;
  plainSteps = 0;
  drafted = 0;
  accepted = 0;
  draftMs = 0;
  /** Proposals that a grammar did not allow; they are not counted as drafted. */
  rejectedByGrammar = 0;
  /** Steps by how many tokens were drafted for them. */
  readonly stepsByNodes: number[] = Array(COUNTED_NODES + 1).fill(0);
  readonly acceptedByDepth: number[] = Array(COUNTED_DEPTHS).fill(0);
  readonly draftedBySource = perSource();
  readonly acceptedBySource = perSource();

  /** `accepted` are the nodes of `drafted` that were committed. */
  note(drafted: readonly DraftNode[], accepted: readonly DraftNode[]): void {
    if (drafted.length === 0) this.plainSteps++;
    else this.draftedSteps++;
    this.stepsByNodes[Math.min(drafted.length, COUNTED_NODES)]!++;
    this.drafted += drafted.length;
    this.accepted += accepted.length;
    for (const node of drafted) for (const name of node.sources) this.draftedBySource[name]++;
    for (const node of accepted) {
      for (const name of node.sources) this.acceptedBySource[name]++;
      this.acceptedByDepth[Math.min(node.depth, COUNTED_DEPTHS) - 1]!++;
    }
  }
}

function perSource(): Record<SourceName, number> {
  return Object.fromEntries(sourceNames.map((name) => [name, 0])) as Record<SourceName, number>;
}
