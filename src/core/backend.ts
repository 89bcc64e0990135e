/** What the server needs of an engine, whichever thread or machine it runs on. */

import type { EfficiencyOptions, NumericsClass } from './efficiency.js';
import type { GenerateEvent, GenerateRequest, Prompt } from './messages.js';

export interface ModelInfo {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: string;
  /** Longest prompt plus completion, in tokens. */
  readonly maxModelLength: number;
  readonly architecture: string;
  readonly weights: 'int4' | 'int8' | 'fp32';
  /** Changes whenever the same request could get another answer: weights, precision, graph. */
  readonly fingerprint: string;
  readonly inputModalities: readonly string[];
  /** How the model writes tool calls; absent if it does not, or in a way that is not known here. */
  readonly toolFormat?: string | undefined;
  readonly state: 'loading' | 'ready' | 'restarting' | 'failed';
}

/** Gauges as of now and counters since the start, of one model. */
export interface EngineStats {
  readonly model: string;
  readonly running: number;
  readonly waiting: number;
  /** 0–1 of the configured budget. */
  readonly kvCacheUsage: number;
  readonly kvCacheTokensTotal: number;
  readonly kvBlockSize: number;
  readonly prefixCacheBytes: number;
  readonly prefixCacheQueriesTotal: number;
  readonly prefixCacheHitsTotal: number;
  readonly prefillTokensTotal: number;
  readonly decodeTokensTotal: number;
  readonly decodeStepsTotal: number;
  readonly prefillChunksTotal: number;
  readonly stepSecondsTotal: number;
  readonly cancelledTotal: number;
  readonly restartsTotal: number;
  readonly workerMemoryBytes: number;
  /** Absent where nothing is drafted. */
  readonly drafts?: DraftStats;
}

/** The state of draft verification of one model. */
export interface DraftStats {
  /** Rows of a step, and its time relative to one of a single row. */
  readonly costRatios: ReadonlyArray<readonly [rows: number, ratio: number]>;
  readonly storeBytes: { readonly trigrams: number; readonly history: number; readonly base: number };
  /** Since the start of the worker. */
  readonly storeEvictions: number;
  readonly suspended: number;
  /** Tokens that drafted steps promised over those that came; undefined before the first of them. */
  readonly predictedOverRealised: number | undefined;
  readonly numericsClass: NumericsClass;
}

export interface TokenizeOptions {
  readonly addSpecialTokens: boolean;
  /** Decides how many tokens the images of a chat are, as in a request. */
  readonly efficiency?: EfficiencyOptions;
}

export interface TokenizeResult {
  readonly ids: readonly number[];
  readonly pieces: readonly string[];
  readonly maxModelLength: number;
}

export interface Backend {
  models(): readonly ModelInfo[];
  /**
   * Runs one request. Throws a `TrimtabError` before the first event for anything that the caller did wrong
   * or that cannot be admitted, and after it only for `engine_failure`. Aborting `signal` frees the lane by
   * the next step and ends the iteration without an error.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent>;
  tokenize(model: string, prompt: Prompt, options: TokenizeOptions): Promise<TokenizeResult>;
  detokenize(model: string, ids: readonly number[]): Promise<string>;
  /** True once every configured model can answer. */
  ready(): boolean;
  stats(): readonly EngineStats[];
  /** Refuses new requests, lets running ones end, then releases everything. */
  close(graceMs: number): Promise<void>;
}
