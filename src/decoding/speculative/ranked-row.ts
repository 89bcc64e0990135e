import type { LogitRow } from '../logit-row.js';
import { likeliestTokens } from '../logprobs.js';
import type { RankedRow } from './draft-source.js';

const RANKED = 8;

/** The likeliest tokens of a row of raw logits. */
export function rankRow({ values, peaks }: LogitRow): RankedRow {
  const tokens = likeliestTokens(values, RANKED, peaks);
  const largest = values[tokens[0]!]!;
  return { tokens, weights: tokens.map((token) => Math.exp(values[token]! - largest)) };
}
