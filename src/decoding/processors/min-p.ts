import type { CandidateFilter } from './candidate-filter.js';

/** Keeps the tokens that are at least `minP` times as likely as the likeliest (arXiv 2407.01082, section 3). */
export const minP: CandidateFilter = {
  isActive: (params) => params.minP > 0,
  apply(candidates, params) {
    // The likeliest token weighs 1, so the ratio of probabilities is the weight itself.
    candidates.keepDownTo(Math.min(params.minP, 1), Number.POSITIVE_INFINITY);
  },
};
