/**
 * Keeps what users write from becoming control tokens. Every special token that is spelled inside a message is
 * swapped for a stand-in before the chat template runs, and back after the control tokens of the template have
 * been recognised. Messages that spell none, nearly all of them, are not touched, so that trimming, tests on
 * the content and the merges across the borders are those of the reference.
 */

import { escapeRegExp } from './escape-regexp.js';

/** Supplementary private use area A: 65,534 characters that no text has a reason to contain. */
const FIRST_STAND_IN = 0xf0000;

export interface Shielded<T> {
  readonly value: T;
  /** Puts the special tokens back, as plain text. */
  restore(text: string): string;
}

export class SpecialTokenShield {
  readonly #pattern: RegExp | undefined;

  constructor(controlTokens: readonly string[]) {
    const longestFirst = [...controlTokens].sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'gu');
  }

  /** Covers every string and key inside `value`, which is plain data and stays as it is. */
  shield<T>(value: T): Shielded<T> {
    const pattern = this.#pattern;
    const standIns = new StandIns(value);
    if (pattern === undefined) return { value, restore: (text) => text };
    const shielded = mapStrings(value, (text) => text.replace(pattern, (token) => standIns.take(token)));
    return { value: shielded as T, restore: (text) => standIns.restore(text) };
  }
}

/** One character for each distinct token, avoiding those that the messages use themselves. */
class StandIns {
  readonly #standInOf = new Map<string, string>();
  readonly #tokenOf = new Map<string, string>();
  #next = FIRST_STAND_IN;

  constructor(private readonly messages: unknown) {}

  take(token: string): string {
    const known = this.#standInOf.get(token);
    if (known !== undefined) return known;
    const used = JSON.stringify(this.messages);
    while (used.includes(String.fromCodePoint(this.#next))) this.#next++;
    const standIn = String.fromCodePoint(this.#next++);
    this.#standInOf.set(token, standIn);
    this.#tokenOf.set(standIn, token);
    return standIn;
  }

  restore(text: string): string {
    if (this.#tokenOf.size === 0) return text;
    return text.replace(/[\u{f0000}-\u{ffffd}]/gu, (char) => this.#tokenOf.get(char) ?? char);
  }
}

function mapStrings(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((item) => mapStrings(item, map));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [map(key), mapStrings(item, map)]));
}
