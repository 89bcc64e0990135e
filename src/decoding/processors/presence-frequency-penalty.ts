import type { LogitsProcessor } from './logits-processor.js';

/** OpenAI's penalties: `count · frequency + presence`, taken off every token of the output (not the prompt). */
export const presenceFrequencyPenalty: LogitsProcessor = {
  isActive: (params) => params.presencePenalty !== 0 || params.frequencyPenalty !== 0,
  apply(logits, params, { history }) {
    for (const [id, count] of history.outputCounts) {
      logits[id] = logits[id]! - count * params.frequencyPenalty - params.presencePenalty;
    }
  },
};
