/** What crosses between the host and the worker of one model: plain data, tagged by `type`. */

import type { EngineStats, TokenizeOptions, TokenizeResult } from '../../core/backend.js';
import type { SerializedError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest, Prompt } from '../../core/messages.js';
import type { CacheBytes, EngineConfig } from '../config.js';
import type { LoadedModel, ModelOptions } from '../loaded-model.js';

/** What a worker is started with. */
export interface WorkerSetup {
  readonly model: ModelOptions;
  readonly config: EngineConfig;
  readonly bytes: CacheBytes;
  /** URL of a module that exports `loadModel: LoadModel`. */
  readonly loader: string;
}

/** A question with one answer; `call` pairs the two. */
export type Call =
  | { readonly method: 'tokenize'; readonly prompt: Prompt; readonly options: TokenizeOptions }
  | { readonly method: 'detokenize'; readonly ids: readonly number[] };

export type ToWorker =
  | { readonly type: 'submit'; readonly key: number; readonly request: GenerateRequest }
  | { readonly type: 'cancel'; readonly key: number }
  | { readonly type: 'call'; readonly call: number; readonly question: Call }
  | { readonly type: 'close' };

/** An event of a request, or the error that ended it. `key` is the host's name for the request. */
export type RequestOutput =
  | { readonly key: number; readonly event: GenerateEvent }
  | { readonly key: number; readonly error: SerializedError };

export type WorkerStats = Omit<EngineStats, 'model' | 'restartsTotal'>;

export type ModelFacts = LoadedModel['info'] & { readonly maxModelLength: number };

export type FromWorker =
  | { readonly type: 'ready'; readonly facts: ModelFacts; readonly stats: WorkerStats }
  | { readonly type: 'load-failed'; readonly error: SerializedError }
  /** All that one step gave, in order. */
  | { readonly type: 'outputs'; readonly outputs: readonly RequestOutput[] }
  | { readonly type: 'answer'; readonly call: number; readonly result: TokenizeResult | string }
  | { readonly type: 'call-failed'; readonly call: number; readonly error: SerializedError }
  | { readonly type: 'stats'; readonly stats: WorkerStats };
