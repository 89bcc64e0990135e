import { readFileSync } from 'node:fs';
import type { ChatMessage } from '../../../../src/core/messages.js';

/** What `scripts/make-text-fixtures.py` wrote: tokenizers with the results of the reference libraries. */
export const tokenizerNames = ['gpt2-like', 'llama3-like', 'llama2-like', 'mistral-like'] as const;
export type TokenizerName = (typeof tokenizerNames)[number];

const FIXTURES = new URL('../../../fixtures/', import.meta.url);

export const fixturePath = (path: string) => new URL(path, FIXTURES).pathname;
export const readFixture = (path: string) => readFileSync(fixturePath(path), 'utf8');

export interface ExpectedText {
  /** `ids`: special tokens parsed and added; `plain`: parsed only; `literal`: neither. */
  readonly encodings: readonly { text: string; ids: number[]; plain: number[]; literal: number[] }[];
  /** `text` without special tokens, `raw` with them. */
  readonly decodings: readonly { ids: number[]; text: string; raw: string }[];
  readonly chats: readonly { conversation: string; text: string; ids: number[] }[];
}

export const expectedText = (name: TokenizerName): ExpectedText =>
  JSON.parse(readFixture(`tokenizers/${name}/expected.json`));

export interface ExpectedRenderings {
  readonly variables: Readonly<Record<string, string>>;
  readonly conversations: Readonly<Record<string, readonly ChatMessage[]>>;
  readonly cases: readonly RenderingCase[];
}

export interface RenderingCase {
  readonly template: string;
  readonly conversation: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly text?: string;
  readonly error?: string;
}

/** Tool arguments are data there and JSON text in the messages of the API. */
export function expectedRenderings(): ExpectedRenderings {
  return JSON.parse(readFixture('chat-templates/expected.json'), (key, value) =>
    key === 'arguments' ? JSON.stringify(value) : value,
  );
}
