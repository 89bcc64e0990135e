/** Draft verification of one model, from what is known of it and what was configured. */

import { DraftStores } from '../../decoding/speculative/draft-stores.js';
import { Drafting } from '../../decoding/speculative/drafting.js';
import type { EngineConfig } from '../config.js';
import type { LoadedModel } from '../loaded-model.js';

export function openDrafting({ stepTimings, draftFolder }: LoadedModel, { drafts }: EngineConfig): Drafting {
  return new Drafting({
    timings: stepTimings,
    stores: new DraftStores({
      bytes: drafts.storeBytes,
      historyTokens: drafts.historyTokens,
      folder: drafts.persist ? draftFolder : undefined,
      warn: (message) => process.emitWarning(message, { code: 'TRIMTAB_DRAFTS' }),
    }),
    maxRows: drafts.maxRows,
  });
}
