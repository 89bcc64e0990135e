/** Draft verification of one model, from what was measured and what was configured. */

import { CostModel } from '../../decoding/speculative/cost-model.js';
import { DraftStores } from '../../decoding/speculative/draft-stores.js';
import { Drafting } from '../../decoding/speculative/drafting.js';
import type { EngineConfig } from '../config.js';
import type { LoadedModel } from '../loaded-model.js';

export function openDrafting({ steps, draftFolder }: LoadedModel, { drafts }: EngineConfig): Drafting {
  return new Drafting({
    costs: new CostModel(steps?.timings),
    stores: new DraftStores({
      bytes: drafts.storeBytes,
      historyTokens: drafts.historyTokens,
      folder: drafts.persist ? draftFolder : undefined,
      warn: (message) => process.emitWarning(message, { code: 'TRIMTAB_DRAFTS' }),
    }),
    maxRows: drafts.maxRows,
    rounding: steps?.rounding ?? 0,
  });
}
