/** Tokens that a grammar leaves no choice about. */

import { forcedToken } from '../../token-constraint.js';
import type { Cursor, DraftSource, Proposals } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';

/** Apart from the features of other sources in the slot; it learns that these always come. */
const FORCED = 100;

export class ForcedSource implements DraftSource {
  readonly name = 'grammar';
  readonly slot = 0;

  expand(_path: TokenPath, _cursor: Cursor | undefined, into: Proposals): void {
    const token = into.allowed && forcedToken(into.allowed);
    if (token !== undefined) into.propose(token, FORCED);
  }

  commit(): void {}
}
