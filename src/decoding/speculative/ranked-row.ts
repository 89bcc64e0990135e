import { likeliestTokens } from '../logprobs.js';
import type { RankedRow } from './draft-source.js';

const RANKED = 8;

/** The likeliest tokens of a row of raw logits `[vocab]`. */
export function rankRow(logits: Float32Array): RankedRow {
  const tokens = likeliestTokens(logits, RANKED);
  const largest = logits[tokens[0]!]!;
  return { tokens, weights: tokens.map((token) => Math.exp(logits[token]! - largest)) };
}
