/**
 * Fields of other servers' APIs that would change the answer in a way that this server cannot honour. Ignoring
 * them would hand the caller something else than what was asked for, so they are refused by name; all other
 * unknown fields are tolerated.
 */

import { TrimtabError } from '../../core/errors.js';

type Body = Readonly<Record<string, unknown>>;
/** Tells whether the value asks for nothing that is missing here. */
type IsHarmless = (value: unknown, body: Body) => boolean;

const never: IsHarmless = () => false;
const isFalse: IsHarmless = (value) => value === false;
const isOne: IsHarmless = (value) => value === 1;
const isEmpty: IsHarmless = (value) =>
  (Array.isArray(value) || typeof value === 'string') && value.length === 0;

const common: Readonly<Record<string, IsHarmless>> = {
  bad_words: isEmpty,
  allowed_token_ids: never,
  use_beam_search: isFalse,
  prompt_embeds: isEmpty,
  lora: isEmpty,
  adapters: isEmpty,
  filters: never,
};

const chat: Readonly<Record<string, IsHarmless>> = {
  ...common,
  modalities: (value) => Array.isArray(value) && value.every((item) => item === 'text'),
  audio: never,
  web_search_options: never,
  chat_template: never,
  documents: isEmpty,
  echo: isFalse,
};

const completion: Readonly<Record<string, IsHarmless>> = {
  ...common,
  best_of: isOne,
  suffix: isEmpty,
};

export const unsupportedFields = { chat, completion };

/** @throws {TrimtabError} unsupported_parameter, naming the field */
export function refuseUnsupported(body: Body, fields: Readonly<Record<string, IsHarmless>>): void {
  for (const [field, isHarmless] of Object.entries(fields)) {
    const value = body[field];
    if (value !== undefined && value !== null && !isHarmless(value, body)) throw unsupported(field);
  }
}

export function unsupported(param: string, why = 'this server cannot honour it'): TrimtabError {
  return new TrimtabError('unsupported_parameter', `${param}: ${why}`, { param });
}
