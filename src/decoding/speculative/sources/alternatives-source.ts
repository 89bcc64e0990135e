/**
 * The tokens that the model nearly chose instead of the last one: what was passed over often comes next
 * (LogitSpec, arXiv 2507.01449).
 */

import type { DraftSource, Expansion, RankedRow } from '../draft-source.js';
import { nothing } from '../draft-source.js';
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

  expand(path: TokenPath): Expansion {
    if (path.drafted.length > 0 || this.#row === undefined) return nothing;
    const last = path.fromEnd(0);
    const passedOver = this.#row.tokens.filter((token) => token !== last).slice(0, OFFERED);
    const proposals = passedOver.map((token, rank) => ({
      token,
      feature: FIRST_FEATURE + 1 + rank,
      cursor: undefined,
    }));
    return { proposals, otherwise: FIRST_FEATURE };
  }

  commit(): void {
    this.#row = undefined;
  }
}
