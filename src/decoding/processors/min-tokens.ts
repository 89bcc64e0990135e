import type { LogitsProcessor } from './logits-processor.js';

/** Rules out the tokens that would end the text before `min_tokens` are out. */
export const minTokens: LogitsProcessor = {
  isActive: (_params, context) => context.bannedTokens.length > 0,
  apply(logits, _params, context) {
    for (const id of context.bannedTokens) {
      if (id < logits.length) logits[id] = Number.NEGATIVE_INFINITY;
    }
  },
};
