import type { SamplingParams } from '../../core/messages.js';
import type { Candidates } from '../candidates.js';

/** Narrows the candidates; the likeliest one always stays. */
export interface CandidateFilter {
  isActive(params: SamplingParams): boolean;
  apply(candidates: Candidates, params: SamplingParams): void;
}
