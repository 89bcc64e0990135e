/**
 * The tokens that the model nearly chose instead of the last one: what was passed over often comes next
 * (LogitSpec, arXiv 2507.01449).
 */

import type { Cursor, DraftSource, Proposals, RankedRow } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';

const OFFERED = 4;
/** Features of alternatives stand apart from those of other sources in their slot. */
const FIRST_FEATURE = 32;

export class AlternativesSource implements DraftSource {
  readonly name = 'alternatives';
  readonly slot = 2;
  #row: RankedRow | undefined;

  /** The ranking from which the last committed token was chosen. */
  observe(row: RankedRow | undefined): void {
    this.#row = row;
  }

  expand(path: TokenPath, _cursor: Cursor | undefined, into: Proposals): void {
    if (path.drafted.length > 0 || this.#row === undefined) return;
    const last = path.fromEnd(0);
    let rank = 0;
    for (const token of this.#row.tokens) {
      if (token === last) continue;
      if (++rank > OFFERED) break;
      into.propose(token, FIRST_FEATURE + rank);
    }
    into.otherwise(FIRST_FEATURE);
  }

  commit(): void {
    this.#row = undefined;
  }
}
