/** Draft verification of one model, from what is known of it and what was configured. */

import { join } from 'node:path';
import { costFileName, readCosts, writeCosts } from '../../decoding/speculative/cost-file.js';
import type { StepTiming } from '../../decoding/speculative/cost-model.js';
import { DraftStores } from '../../decoding/speculative/draft-stores.js';
import { Drafting } from '../../decoding/speculative/drafting.js';
import type { EngineConfig } from '../config.js';
import type { LoadedModel } from '../loaded-model.js';

export function openDrafting(model: LoadedModel, { drafts }: EngineConfig): Drafting {
  const folder = drafts.persist ? model.draftFolder : undefined;
  const { machine } = model;
  const costPath = folder && machine && join(folder, costFileName(machine));
  return new Drafting({
    timings: model.stepTimings,
    measured: costPath && machine ? readCosts(costPath, machine) : undefined,
    ...(costPath && machine && { keep: (timings) => keepCosts(costPath, machine, timings) }),
    stores: new DraftStores({ bytes: drafts.storeBytes, historyTokens: drafts.historyTokens, folder, warn }),
    maxRows: drafts.maxRows,
  });
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
