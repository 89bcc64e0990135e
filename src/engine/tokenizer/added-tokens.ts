/** Finds added tokens in text: those that are matched before the model sees it, control tokens among them. */

import { escapeRegExp } from './escape-regexp.js';
import type { AddedTokenConfig, TokenizerConfig } from './tokenizer-files.js';

export interface AddedToken extends AddedTokenConfig {
  /** Flagged as special: left out by `skipSpecialTokens`. */
  readonly special: boolean;
  /**
   * Steers the model (turns, end of text), so text of a user must not turn into it. That is every special
   * token, and those that are only written like one: DeepSeek's `<｜User｜>` carries no flag.
   */
  readonly control: boolean;
}

export type Segment = { readonly id: number } | { readonly text: string; readonly atStart: boolean };

const CONTROL_SPELLING = /^<[|｜].*[|｜]>$/u;
const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, 'u');
const LEADING_SPACE = /^\p{White_Space}+/u;
const SPACE = /\p{White_Space}/u;

/** Adds what `tokenizer_config.json` knows about the tokens of `tokenizer.json`. */
export function classifyAddedTokens(
  tokens: readonly AddedTokenConfig[],
  config: TokenizerConfig,
): AddedToken[] {
  const extra = Object.values(config.extra_special_tokens ?? {});
  const special = new Set<string>([...(config.additional_special_tokens ?? []), ...extra]);
  for (const name of [config.bos_token, config.eos_token, config.unk_token, config.pad_token]) {
    if (name) special.add(name);
  }
  for (const token of Object.values(config.added_tokens_decoder ?? {})) {
    if (token.special) special.add(token.content);
  }
  return tokens.map((token) => {
    const isSpecial = token.special || special.has(token.content);
    return { ...token, special: isSpecial, control: isSpecial || CONTROL_SPELLING.test(token.content) };
  });
}

/** Leftmost match first, the longest of those that begin together. */
export class AddedTokenSplitter {
  readonly #pattern: RegExp | undefined;
  readonly #tokens = new Map<string, AddedToken>();

  /** `spelling` gives the form in which a token appears in the text (normalised or not). */
  constructor(tokens: readonly AddedToken[], spelling: (token: AddedToken) => string) {
    for (const token of tokens) this.#tokens.set(spelling(token), token);
    const longestFirst = [...this.#tokens.keys()].filter(Boolean).sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'gu');
  }

  /** `parseControl` false leaves control tokens in the text, as ordinary characters. */
  split(text: string, parseControl: boolean, atStart = true): Segment[] {
    if (this.#pattern === undefined) return [{ text, atStart }];
    const segments: Segment[] = [];
    let end = 0;
    const textUpTo = (start: number) => {
      if (start > end) segments.push({ text: text.slice(end, start), atStart: atStart && end === 0 });
    };
    for (const { 0: spelling, index } of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(spelling)!;
      let stop = index + spelling.length;
      if ((token.control && !parseControl) || (token.single_word && !isWord(text, index, stop))) continue;
      const start = token.lstrip ? trimmedEnd(text, end, index) : index;
      if (token.rstrip) stop += LEADING_SPACE.exec(text.slice(stop))?.[0].length ?? 0;
      textUpTo(start);
      segments.push({ id: token.id });
      end = stop;
    }
    textUpTo(text.length);
    return segments;
  }
}

/** Where the white space before `index` begins, `from` at the earliest. */
function trimmedEnd(text: string, from: number, index: number): number {
  let end = index;
  while (end > from && SPACE.test(text[end - 1]!)) end--;
  return end;
}

/** Looks at one character on either side, which is at most two units of UTF-16. */
function isWord(text: string, start: number, stop: number): boolean {
  return (
    !ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) &&
    !STARTS_WITH_WORD.test(text.slice(stop, stop + 2))
  );
}
