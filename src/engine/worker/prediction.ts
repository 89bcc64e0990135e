/** The caller's guess at the answer, as tokens. */

import type { GenerateRequest } from '../../core/messages.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';

/** More text than this per token of the context can be no answer; the rest of a guess is never looked at. */
const CHARACTERS_PER_TOKEN = 8;
/** Tokens of the second reading beyond those in which it differs, by which the place in the first is found. */
const OVERLAP = 2;

/**
 * The guess as it is, and its beginning once more with the opposite choice about a leading space: whether an answer
 * begins with one is up to the model. Undefined if there is no guess.
 */
export function encodePrediction(
  { prediction }: GenerateRequest,
  tokenizer: Tokenizer,
  maxLength: number,
): readonly (readonly number[])[] | undefined {
  if (prediction === undefined || prediction === '') return undefined;
  const text = prediction.slice(0, CHARACTERS_PER_TOKEN * maxLength);
  const encode = (reading: string) =>
    tokenizer.encode(reading, { addSpecialTokens: false, parseSpecialTokens: false }).slice(0, maxLength);
  const asWritten = encode(text);
  const otherwise = encode(text.startsWith(' ') ? text.slice(1) : ` ${text}`);
  return [asWritten, differingStart(otherwise, asWritten)].filter(({ length }) => length > 0);
}

/** The tokens of `reading` up to where it ends like `other`, and a few more. */
function differingStart(reading: readonly number[], other: readonly number[]): readonly number[] {
  let shared = 0;
  while (shared < reading.length && reading.at(-1 - shared) === other.at(-1 - shared)) shared++;
  return reading.slice(0, reading.length - shared + OVERLAP);
}
