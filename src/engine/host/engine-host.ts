/** All models of this process, each in its own thread, behind the one interface that the server knows. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, EngineStats, ModelInfo, TokenizeOptions, TokenizeResult } from '../../core/backend.js';
import { TrimtabError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest, Prompt } from '../../core/messages.js';
import { cacheBytes, type EngineConfig } from '../config.js';
import type { ModelOptions } from '../loaded-model.js';
import { ModelWorker } from './model-worker.js';

export interface EngineHostOptions {
  readonly models: readonly ModelOptions[];
  readonly config: EngineConfig;
  /** URL of the module that loads a model; the tests bring their own. */
  readonly loader?: string;
  /** Hears of every worker that ends unasked; what it was doing has failed, another one is started. */
  readonly onFailure?: (model: string, error: TrimtabError) => void;
}

const DRAIN_POLL_MS = 20;

export class EngineHost implements Backend {
  readonly #workers: ReadonlyMap<string, ModelWorker>;
  #draining = false;

  /** Starts loading at once; `loaded()` says when that is over. */
  constructor({ models, config, loader = defaultLoader(), onFailure = () => {} }: EngineHostOptions) {
    const bytes = cacheBytes(config, process.availableMemory() / models.length);
    const start = (model: ModelOptions) =>
      new ModelWorker({ model, config, bytes, loader }, (error) => onFailure(model.id, error));
    this.#workers = new Map(models.map((model) => [model.id, start(model)]));
  }

  /** Rejects with the reason of the first model that cannot be loaded. */
  async loaded(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.loaded));
  }

  models(): readonly ModelInfo[] {
    return [...this.#workers.values()].map((worker) => worker.info);
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    yield* this.#worker(request.model).generate(request, signal);
  }

  async tokenize(model: string, prompt: Prompt, options: TokenizeOptions): Promise<TokenizeResult> {
    const result = await this.#worker(model).call({ method: 'tokenize', prompt, options });
    return result as TokenizeResult;
  }

  async detokenize(model: string, ids: readonly number[]): Promise<string> {
    return (await this.#worker(model).call({ method: 'detokenize', ids })) as string;
  }

  ready(): boolean {
    return !this.#draining && this.models().every(({ state }) => state === 'ready');
  }

  stats(): readonly EngineStats[] {
    return [...this.#workers.values()].map((worker) => worker.stats);
  }

  async close(graceMs: number): Promise<void> {
    this.#draining = true;
    const deadline = performance.now() + graceMs;
    while (this.#active() > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS);
    await Promise.all([...this.#workers.values()].map((worker) => worker.close()));
  }

  #active(): number {
    return [...this.#workers.values()].reduce((sum, worker) => sum + worker.active, 0);
  }

  #worker(model: string): ModelWorker {
    if (this.#draining) throw new TrimtabError('shutting_down', 'The server is shutting down.');
    const worker = this.#workers.get(model);
    if (worker !== undefined) return worker;
    throw new TrimtabError('model_not_found', `No model named ${model} is served here.`, { param: 'model' });
  }
}

function defaultLoader(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../model-loader.${extension}`, import.meta.url).href;
}
