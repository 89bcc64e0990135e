/** From one row of logits to one token: the list of processors, in order, and the draw. */

import type { SamplingParams } from '../core/messages.js';
import { argmax, assertFiniteMaximum, maximum } from './argmax.js';
import { Candidates } from './candidates.js';
import { allowedTokens, keepAllowed } from './processors/allowed-tokens.js';
import type { CandidateFilter } from './processors/candidate-filter.js';
import { logitBias } from './processors/logit-bias.js';
import type { LogitsProcessor, SamplingContext } from './processors/logits-processor.js';
import { minP } from './processors/min-p.js';
import { minTokens } from './processors/min-tokens.js';
import { presenceFrequencyPenalty } from './processors/presence-frequency-penalty.js';
import { repetitionPenalty } from './processors/repetition-penalty.js';
import { TopKThreshold } from './processors/top-k.js';
import { TopP } from './processors/top-p.js';

export type { SamplingContext } from './processors/logits-processor.js';

/** First on the logits, in this order; then temperature, top-k, top-p and min-p. */
export const logitsProcessors: readonly LogitsProcessor[] = [
  logitBias,
  repetitionPenalty,
  presenceFrequencyPenalty,
  minTokens,
  allowedTokens,
];

/** Below this a temperature means "the likeliest", as in vLLM. */
const GREEDY_BELOW = 1e-5;

/** One per vocabulary size, shared by all sequences of a thread: it holds scratch space and no state. */
export class Sampler {
  readonly #scratch: Float32Array;
  readonly #candidates: Candidates;
  readonly #topK: TopKThreshold;
  readonly #filters: readonly CandidateFilter[];

  constructor(readonly vocabSize: number) {
    this.#scratch = new Float32Array(vocabSize);
    this.#candidates = new Candidates(vocabSize);
    this.#topK = new TopKThreshold(vocabSize);
    this.#filters = [new TopP(vocabSize), minP];
  }

  /**
   * Draws a token from `logits` `[vocab]`, which stay as they are. `u` in [0, 1) is the random number of this
   * position (`RandomStream.uniform`); greedy requests do not look at it. If bans leave no token at all, they
   * are lifted and the likeliest token is returned, of those that a constraint allows. Throws an
   * AssertionError on NaN. `peaks`: see `LogitRow`.
   */
  sample(
    logits: Float32Array,
    params: SamplingParams,
    context: SamplingContext,
    u: number,
    peaks?: Float32Array,
  ): number {
    const processed = this.#process(logits, params, context);
    // Fast path for temperature 0: one pass, no weights. Without processors it reads `logits` directly.
    const known = processed === logits ? peaks : undefined;
    if (params.temperature < GREEDY_BELOW) return this.#likeliest(processed, known, logits, context);
    const max = maximum(processed, known);
    if (max === Number.NEGATIVE_INFINITY) return this.#likeliest(processed, known, logits, context);
    assertFiniteMaximum(max);
    this.#candidates.fill(processed, max, params.temperature, this.#topK.find(processed, params.topK));
    for (const filter of this.#filters) {
      if (filter.isActive(params)) filter.apply(this.#candidates, params);
    }
    return this.#candidates.draw(u);
  }

  /** Fast path when no processor is active: the row itself. Otherwise an edited copy. */
  #process(logits: Float32Array, params: SamplingParams, context: SamplingContext): Float32Array {
    let processed = logits;
    for (const processor of logitsProcessors) {
      if (!processor.isActive(params, context)) continue;
      if (processed === logits) {
        processed = this.#scratch;
        processed.set(logits);
      }
      processor.apply(processed, params, context);
    }
    return processed;
  }

  /** Goes back to the raw row when the processors left nothing. */
  #likeliest(
    processed: Float32Array,
    peaks: Float32Array | undefined,
    raw: Float32Array,
    { allowed }: SamplingContext,
  ): number {
    const best = argmax(processed, peaks);
    if (processed[best] !== Number.NEGATIVE_INFINITY) return best;
    const fallback = this.#scratch;
    fallback.set(raw);
    if (allowed !== undefined) keepAllowed(fallback, allowed);
    const rawBest = argmax(fallback);
    assertFiniteMaximum(fallback[rawBest]!);
    return rawBest;
  }
}
