/** The caller's guess at the answer, as tokens. */

import type { GenerateRequest } from '../../core/messages.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** More text than this per token of the context can be no answer; the rest of a guess is never looked at. */
const CHARACTERS_PER_TOKEN = 8;

export function encodePrediction(
  { prediction }: GenerateRequest,
  tokenizer: Tokenizer,
  maxLength: number,
): readonly number[] | undefined {
  if (prediction === undefined || prediction === '') return undefined;
  const text = prediction.slice(0, CHARACTERS_PER_TOKEN * maxLength);
  return tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false }).slice(0, maxLength);
}
