import type { LogitsProcessor } from './logits-processor.js';

const BAN = -100;

/** Adds the bias of each listed token. A bias of −100 rules the token out whatever the model says. */
export const logitBias: LogitsProcessor = {
  isActive: (params) => params.logitBias.length > 0,
  apply(logits, params) {
    for (const [id, bias] of params.logitBias) {
      if (id >= logits.length) continue;
      logits[id] = bias <= BAN ? Number.NEGATIVE_INFINITY : logits[id]! + bias;
    }
  },
};
