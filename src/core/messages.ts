/**
 * What the server and the engine say to each other: plain readonly data that survives a thread boundary.
 * The server knows nothing of tokens and caches, the engine nothing of HTTP.
 */

import type { EfficiencyOptions } from './efficiency.js';
import type { EfficiencyReceipt } from './efficiency-receipt.js';

/** How closely to look: `low` is one view of the whole image, `auto` and `high` what the model was made for. */
export type ImageDetail = 'auto' | 'low' | 'high';

export interface ImagePart {
  readonly type: 'image';
  /** The file as it came; nobody has looked inside yet. */
  readonly bytes: Uint8Array;
  readonly detail: ImageDetail;
  /** Where errors about it point, for example `messages[0].content[1].image_url`. */
  readonly param: string;
}

/** An image that is still to be fetched; the server does that before it asks a backend. */
export interface ImageLink {
  readonly type: 'image_link';
  readonly url: string;
  readonly detail: ImageDetail;
  readonly param: string;
}

export interface TextPart {
  readonly type: 'text';
  readonly text: string;
}

/** Frames in the order of time, each a file; or a single file that holds them all, as an animation does. */
export interface VideoPart {
  readonly type: 'video';
  readonly frames: readonly (ImagePart | ImageLink)[];
  readonly param: string;
}

export type ContentPart = TextPart | ImagePart | ImageLink | VideoPart;

export interface ChatMessage {
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool';
  /** Parts only where there is an image or video among them. */
  readonly content: string | null | readonly ContentPart[];
  readonly name?: string;
  readonly tool_call_id?: string;
  readonly tool_calls?: readonly ToolCall[];
  readonly reasoning_content?: string;
}

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

export type Prompt =
  | {
      readonly kind: 'chat';
      readonly messages: readonly ChatMessage[];
      /** Extra variables for the chat template (`chat_template_kwargs`). */
      readonly templateVariables?: Readonly<Record<string, unknown>>;
      readonly addGenerationPrompt: boolean;
      /** Leaves the last message open, so that the model goes on with it. */
      readonly continueFinalMessage: boolean;
    }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tokens'; readonly ids: readonly number[] };

export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 keeps all tokens. */
  readonly topK: number;
  readonly minP: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly repetitionPenalty: number;
  /** Token id and additive bias; −100 bans the token. */
  readonly logitBias: ReadonlyArray<readonly [tokenId: number, bias: number]>;
  readonly seed: number | undefined;
}

export interface StopParams {
  readonly strings: readonly string[];
  readonly tokenIds: readonly number[];
  readonly ignoreEos: boolean;
  /** Undefined fills the context. 0 is allowed only together with `echo`. */
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  /** Keeps a matched stop string in the text (vLLM's `include_stop_str_in_output`). */
  readonly includeStopString: boolean;
}

/** What every choice of the answer has to look like. `field` is where the request says so, for errors. */
export type OutputFormat = { readonly field: string } & (
  | { readonly kind: 'json-object' }
  | { readonly kind: 'json-schema'; readonly schema: unknown }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  /** In the notation of llama.cpp (GBNF). */
  | { readonly kind: 'grammar'; readonly text: string }
);

/** A function that the model may ask to be called. */
export interface ToolFunction {
  readonly name: string;
  /** JSON Schema of its arguments; undefined for a function without any. */
  readonly parameters: unknown;
  /** Arguments must validate even where the model is free to call or not. */
  readonly strict: boolean;
  /** Where the schema stands in the request, for errors. */
  readonly field: string;
}

export interface ToolUse {
  /** Those that may be called; the chat template may be told of more. */
  readonly functions: readonly ToolFunction[];
  readonly choice: 'auto' | 'required';
  /** Whether one answer may hold several calls. */
  readonly parallel: boolean;
  /** Where the request asks for it, for errors. */
  readonly field: string;
}

/** A piece of a tool call: the first of each index has `id` and `name`, the others more of the arguments. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly name?: string;
  readonly arguments: string;
}

export interface GenerateRequest {
  readonly id: string;
  readonly model: string;
  readonly prompt: Prompt;
  /** Number of choices, each with its own random stream. */
  readonly n: number;
  readonly sampling: SamplingParams;
  readonly stop: StopParams;
  readonly outputFormat: OutputFormat | undefined;
  readonly tools: ToolUse | undefined;
  /** Number of alternatives per token (0–20), or undefined for no log-probabilities. */
  readonly topLogprobs: number | undefined;
  /** Returns the prompt itself before the completion, with log-probabilities if those are asked for. */
  readonly echo: boolean;
  readonly skipSpecialTokens: boolean;
  /** Lower runs earlier (as vLLM). */
  readonly priority: number;
  /** False keeps this request out of the prefix cache; a salt keeps its prefixes to those who know the salt. */
  readonly cachePrompt: boolean;
  readonly cacheSalt: string | undefined;
  readonly efficiency: EfficiencyOptions;
  /** The caller's guess at the answer, which makes it come faster where it is right and changes nothing. */
  readonly prediction?: string | undefined;
  /** Whether the receipt of drafts lists the steps one by one. */
  readonly draftsStepByStep?: boolean | undefined;
  /** Whoever must not learn of the texts of others, not even by their timing; absent where all are one. */
  readonly tenant?: string | undefined;
}

export interface TokenAlternative {
  readonly id: number;
  readonly text: string;
  readonly bytes: readonly number[];
  /** Natural logarithm; null where there is none (the first token of a scored prompt). */
  readonly logprob: number | null;
}

export interface TokenLogprob extends TokenAlternative {
  readonly top: readonly TokenAlternative[];
}

export type FinishReason = 'stop' | 'length';

export interface Usage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Those of the completion that were thoughts, if there were any. */
  readonly reasoningTokens?: number;
  /** Only where something was merged or pruned, or may be drafted. */
  readonly efficiency?: EfficiencyReceipt;
  /** Only of requests with images. */
  readonly images?: ImageUsage;
}

export interface ImageUsage {
  readonly count: number;
  /** Images that were not encoded again. */
  readonly cached: number;
  /** Views and frames that the encoder saw, and those that it would have seen without a budget. */
  readonly views: number;
  readonly fullViews: number;
  /** Rows in the prompt, tags and text around them not counted. */
  readonly tokens: number;
  /** Decoding and encoding, waiting for the images of other requests included. */
  readonly encodeMs: number;
}

export interface Timings {
  readonly queueMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

/** A request yields one `start`, per choice any number of `delta` and one `finish`, then one `end`. */
export type GenerateEvent =
  | {
      readonly type: 'start';
      readonly promptTokens: number;
      readonly cachedTokens: number;
      /** Only with `echo`: the prompt as text, and its log-probabilities if asked for. */
      readonly promptText?: string;
      readonly promptLogprobs?: readonly TokenLogprob[];
    }
  | {
      readonly type: 'delta';
      readonly choice: number;
      /** Whole characters, never part of a stop string; may be empty while text is held back. */
      readonly text: string;
      /** What the model thinks before it answers, where it says so. */
      readonly reasoning?: string;
      readonly toolCalls?: readonly ToolCallDelta[];
      readonly tokenCount: number;
      readonly logprobs?: readonly TokenLogprob[];
    }
  | {
      readonly type: 'finish';
      readonly choice: number;
      readonly reason: FinishReason;
      /** The stop string or stop token that ended it, null for end-of-sequence or length. */
      readonly matchedStop: string | number | null;
    }
  | { readonly type: 'end'; readonly usage: Usage; readonly timings: Timings };
