/** What one entry of the sampler's list may look at and change. */

import type { SamplingParams } from '../../core/messages.js';
import type { TokenHistory } from '../token-history.js';

/** The state of the sequence at the position that is being drawn. */
export interface SamplingContext {
  readonly history: TokenHistory;
  /** Tokens that must not be drawn here (`StopConditions.bannedTokens`). */
  readonly bannedTokens: readonly number[];
  /** Tokens that may be drawn here (`TokenConstraint.allowed`); undefined for all. */
  readonly allowed?: Uint32Array | undefined;
}

/** Edits logits in place, at the few tokens that it concerns. */
export interface LogitsProcessor {
  /** False when `apply` would change nothing; then it is not called. */
  isActive(params: SamplingParams, context: SamplingContext): boolean;
  /** `logits` is `[vocab]`. */
  apply(logits: Float32Array, params: SamplingParams, context: SamplingContext): void;
}
