/** What drafting did for one sequence and what it cost, for its receipt. */

import type { DraftNode } from './draft-node.js';
import type { SourceName } from './draft-source.js';
import { sourceBit, sourceNames } from './draft-source.js';

/** Depths of drafts that are counted on their own. */
const COUNTED_DEPTHS = 24;

export class DraftCounters {
  /** Tokens that were drafted for each step so far, 0 for a plain one, and how many of them were accepted. */
  readonly drafted: number[] = [];
  readonly accepted: number[] = [];
  /** Tokens that these steps gave. */
  tokens = 0;
  draftMs = 0;
  /** The sequence's part of the time of steps that verified its drafts. */
  verifyMs = 0;
  /** Proposals that a grammar did not allow; they are not counted as drafted. */
  rejectedByGrammar = 0;
  readonly acceptedByDepth: number[] = Array(COUNTED_DEPTHS).fill(0);
  readonly draftedBySource = perSource();
  readonly acceptedBySource = perSource();

  /** A step that gave `tokens`; `accepted` are the nodes of `drafted` that were among them. */
  note(drafted: readonly DraftNode[], accepted: readonly DraftNode[], tokens: number): void {
    this.drafted.push(drafted.length);
    this.accepted.push(accepted.length);
    this.tokens += tokens;
    for (const node of drafted) addSources(this.draftedBySource, node);
    for (const node of accepted) {
      addSources(this.acceptedBySource, node);
      this.acceptedByDepth[Math.min(node.depth, COUNTED_DEPTHS) - 1]!++;
    }
  }

  /** What a step of `laneMs` of the model's time, for which `drafted` tokens were drafted in `draftMs`, took. */
  noteTime(drafted: number, draftMs: number, laneMs: number): void {
    this.draftMs += draftMs;
    if (drafted > 0) this.verifyMs += laneMs;
  }
}

function addSources(counts: Record<SourceName, number>, { sources }: DraftNode): void {
  for (const name of sourceNames) if ((sources & sourceBit(name)) !== 0) counts[name]++;
}

function perSource(): Record<SourceName, number> {
  return Object.fromEntries(sourceNames.map((name) => [name, 0])) as Record<SourceName, number>;
}
