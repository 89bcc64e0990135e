/** Text to token ids and back, for one checkpoint. The only room of the engine that knows text. */

import type { Prompt } from '../../core/messages.js';

export interface EncodeOptions {
  /** Adds what the tokenizer puts around a text of its own, usually the beginning-of-sequence token. */
  readonly addSpecialTokens: boolean;
  /** True reads `<|im_end|>` in the text as the control token, false as the ten characters that it is. */
  readonly parseSpecialTokens: boolean;
}

export interface DecodeOptions {
  readonly skipSpecialTokens: boolean;
  /** Special tokens that are text all the same. */
  readonly kept?: ReadonlySet<number>;
  /**
   * True when other text stands before the first id: the space that SentencePiece-like tokenizers put at the
   * start of a text is then kept. Completions continue their prompt; a chat answer is a text of its own.
   */
  readonly continuation?: boolean;
}

export interface EncodedPrompt {
  readonly ids: number[];
  /** The prompt as text, after the chat template; for token prompts, the decoded ids. */
  readonly text: string;
}

/** What stands for the images, or the videos, of a chat, in their order. */
export interface Placeholders {
  readonly what: 'images' | 'videos';
  /** The token that the chat template writes for one. */
  readonly token: string;
  /** What takes its place; may hold the token many times. */
  readonly texts: readonly string[];
}

export interface VisualPlaceholders {
  /** What a video is to the template: models without videos take it for an image. */
  readonly videoPart: 'image' | 'video';
  readonly kinds: readonly Placeholders[];
}

/** Ids in, whole characters out; the pieces and `finish()` join to `decode` of all ids. */
export interface TextStream {
  /** Text that this id completes; empty while a character is unfinished. */
  push(id: number): string;
  /** What was held back, with U+FFFD for bytes that never became a character. */
  finish(): string;
}

export interface Tokenizer {
  /** Ids are below this; may be smaller than the rows of the embedding table. */
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  /** The tokenizer's own end token; `generation_config.json` may name more. */
  readonly eosTokenId: number | undefined;
  readonly specialTokenIds: ReadonlySet<number>;
  readonly hasChatTemplate: boolean;
  /** All of its chat templates, as Jinja text; empty if there is none. */
  readonly chatTemplateSource: string;
  /** Throws `context_length_exceeded` without tokenising when the text cannot fit in `maxTokens`. */
  encode(text: string, options: EncodeOptions, maxTokens?: number): number[];
  /**
   * Renders and encodes a prompt. Control tokens come from the chat template only: a special token that is
   * spelled inside a message becomes ordinary text. Text prompts are the caller's own and are parsed fully.
   * `visuals` has one text for each image and video of a chat.
   */
  encodePrompt(prompt: Prompt, maxTokens?: number, visuals?: VisualPlaceholders): EncodedPrompt;
  decode(ids: ArrayLike<number>, options: DecodeOptions): string;
  stream(options: DecodeOptions): TextStream;
  /** The bytes that a token adds to a text; they may end inside a character. */
  tokenBytes(id: number): Uint8Array;
  /** The token as it stands in the vocabulary, for display (`Ġthe`, `▁the`). */
  tokenPiece(id: number): string;
}
