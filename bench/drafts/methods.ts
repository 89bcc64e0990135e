/** The ways of drafting that are compared end to end. */

import { automaticDrafts, type DraftVerification } from '../../src/core/efficiency.js';

export const methods: Readonly<Record<string, DraftVerification>> = {
  'prompt lookup': { ...automaticDrafts, method: 'prompt-lookup' },
  'aded-compat': { ...automaticDrafts, method: 'aded-compat' },
  'suffix of the context': { ...automaticDrafts, sources: ['context'] },
  'tri-grams': { ...automaticDrafts, sources: ['ngram'] },
  default: automaticDrafts,
};
