/** Tokens that a grammar leaves no choice about. */

import { forcedToken } from '../../token-constraint.js';
import type { DraftSource, Expansion } from '../draft-source.js';
import { nothing } from '../draft-source.js';
import type { TokenPath } from '../token-path.js';

/** Apart from the features of other sources in the slot; it learns that these always come. */
const FORCED = 100;

export class ForcedSource implements DraftSource {
  readonly name = 'grammar';
  readonly slot = 0;

  constructor(private readonly allowedAfter: (path: TokenPath) => Uint32Array | undefined) {}

  expand(path: TokenPath): Expansion {
    const allowed = this.allowedAfter(path);
    const token = allowed === undefined ? undefined : forcedToken(allowed);
    if (token === undefined) return nothing;
    return { proposals: [{ token, feature: FORCED, cursor: undefined }], otherwise: 0 };
  }

  commit(): void {}
}
