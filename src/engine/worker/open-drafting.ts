/** Draft verification of one model, from what is known of it and what was configured. */

import { join } from 'node:path';
import { readCorpus } from '../../decoding/speculative/corpus-file.js';
import { costFileName, readCosts, writeCosts } from '../../decoding/speculative/cost-file.js';
import type { StepTiming } from '../../decoding/speculative/cost-model.js';
import { DraftStores } from '../../decoding/speculative/draft-stores.js';
import { Drafting } from '../../decoding/speculative/drafting.js';
import type { TrigramReader } from '../../decoding/speculative/trigram-store.js';
import type { EngineConfig } from '../config.js';
import { vocabularyOf } from '../corpus/vocabulary.js';
import type { LoadedModel } from '../loaded-model.js';

export function openDrafting(model: LoadedModel, { drafts }: EngineConfig): Drafting {
  const folder = drafts.persist ? model.draftFolder : undefined;
  const { machine } = model;
  const costPath = folder && machine && join(folder, costFileName(machine));
  return new Drafting({
    timings: model.stepTimings,
    measured: (costPath && machine && readCosts(costPath, machine)) || model.firstTimings,
    ...(costPath && machine && { keep: (timings) => keepCosts(costPath, machine, timings) }),
    stores: new DraftStores({
      bytes: drafts.storeBytes,
      historyTokens: drafts.historyTokens,
      folder,
      corpus: openCorpus(model),
      warn,
    }),
    maxRows: drafts.maxRows,
  });
}

/** A file that is not for this model is left aside: nothing depends on it but speed. */
function openCorpus({ draftCorpus, tokenizer }: LoadedModel): TrigramReader | undefined {
  try {
    return draftCorpus === undefined ? undefined : readCorpus(draftCorpus, vocabularyOf(tokenizer));
  } catch (error) {
    warn(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function keepCosts(path: string, machine: string, timings: readonly StepTiming[]): void {
  try {
    writeCosts(path, machine, timings);
  } catch (error) {
    warn(`what steps cost cannot be kept: ${error instanceof Error ? error.message : error}`);
  }
}

function warn(message: string): void {
  process.emitWarning(message, { code: 'TRIMTAB_DRAFTS' });
}
