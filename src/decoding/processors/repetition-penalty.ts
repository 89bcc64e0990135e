import type { LogitsProcessor } from './logits-processor.js';

/**
 * Divides positive logits by the penalty and multiplies the others by it, once for every token that occurs
 * in prompt or output (Keskar et al., arXiv 1909.05858, section 4.1; the sign rule is that of vLLM).
 */
export const repetitionPenalty: LogitsProcessor = {
  isActive: (params) => params.repetitionPenalty !== 1,
  apply(logits, params, { history }) {
    const penalty = params.repetitionPenalty;
    for (const id of history.promptTokens) penalise(logits, id, penalty);
    for (const id of history.outputCounts.keys()) {
      if (!history.promptTokens.has(id)) penalise(logits, id, penalty);
    }
  },
};

function penalise(logits: Float32Array, id: number, penalty: number): void {
  if (id >= logits.length) return;
  const logit = logits[id]!;
  logits[id] = logit > 0 ? logit / penalty : logit * penalty;
}
