/**
 * A language model without weights: a byte is a token, and the likely continuation of a prompt is a given text,
 * byte by byte, then end-of-sequence. It has a real distribution over its vocabulary, so that temperature,
 * seeds, bans and log-probabilities mean what they mean elsewhere.
 */

import type {
  GenerateRequest,
  SamplingParams,
  TokenAlternative,
  TokenLogprob,
} from '../../src/core/messages.js';
import { GrammarCache } from '../../src/decoding/grammar/grammar-cache.js';
import { isAllowed } from '../../src/decoding/token-constraint.js';
import { type AnswerFormat, plainFormat } from '../../src/engine/answer/answer-format.js';
import { type AnswerPlan, planAnswer } from '../../src/engine/answer/answer-plan.js';

export const beginToken = 256;
export const endToken = 257;
const vocabularySize = 258;
const likelyLogit = 12;

export function encode(text: string): number[] {
  return [...Buffer.from(text, 'utf8')];
}

export function decode(ids: readonly number[]): string {
  return Buffer.from(ids.filter((id) => id < 256)).toString('utf8');
}

export function pieceOf(id: number): string {
  if (id === beginToken) return '<s>';
  return id === endToken ? '</s>' : Buffer.from([id]).toString('utf8');
}

const grammars = new GrammarCache({
  size: vocabularySize,
  eosTokenIds: [endToken],
  bytes: (id) => (id < 0xff ? Uint8Array.of(id) : new Uint8Array(0)),
});

/** What holds the answer to the form that the request asks for, and reads it. */
export function answerPlan(request: GenerateRequest, format: AnswerFormat = plainFormat): AnswerPlan {
  return planAnswer(request, '', format, grammars);
}

/** Log-probabilities of the next token, `likely` standing out from a noise that depends on the position. */
export function nextLogprobs(
  likely: number,
  position: number,
  params: SamplingParams,
  banned: readonly number[],
  allowed?: Uint32Array,
) {
  const logits = Float64Array.from({ length: vocabularySize }, (_, id) => hash(id, position) * 2);
  logits[beginToken] = -Infinity;
  logits[likely]! += likelyLogit;
  for (const [id, bias] of params.logitBias) {
    if (id < vocabularySize) logits[id] = bias <= -100 ? -Infinity : logits[id]! + bias;
  }
  for (const id of banned) logits[id] = -Infinity;
  if (allowed !== undefined) {
    for (const id of logits.keys()) if (!isAllowed(allowed, id)) logits[id] = -Infinity;
  }
  const max = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - max), 0);
  return logits.map((logit) => logit - max - Math.log(sum));
}

/** Greedy at temperature 0, else by inversion of the cumulative distribution. */
export function sample(logprobs: Float64Array, temperature: number, random: () => number): number {
  if (temperature === 0) return logprobs.indexOf(Math.max(...logprobs));
  const weights = logprobs.map((logprob) => Math.exp(logprob / temperature));
  let remaining = random() * weights.reduce((total, weight) => total + weight, 0);
  const id = weights.findIndex((weight) => {
    remaining -= weight;
    return remaining < 0;
  });
  return id < 0 ? endToken : id;
}

export function tokenLogprob(id: number, logprobs: Float64Array, top: number): TokenLogprob {
  const ranked = [...logprobs.keys()].sort((a, b) => logprobs[b]! - logprobs[a]!).slice(0, top);
  return {
    ...alternative(id, logprobs[id]!),
    top: ranked.map((other) => alternative(other, logprobs[other]!)),
  };
}

export function unscoredToken(id: number): TokenLogprob {
  return { ...alternative(id, 0), logprob: null, top: [] };
}

function alternative(id: number, logprob: number): TokenAlternative {
  return { id, text: pieceOf(id), bytes: id < 256 ? [id] : [], logprob };
}

/** A number in [0, 1) that depends on nothing but its arguments. */
function hash(a: number, b: number): number {
  let x = Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return ((x ^ (x >>> 13)) >>> 0) / 2 ** 32;
}

/** Numbers in [0, 1), the same for the same seed. */
export function randomStream(seed: number): () => number {
  let position = 0;
  return () => hash(seed | 0, position++);
}
