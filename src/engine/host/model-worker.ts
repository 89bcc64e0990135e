/**
 * The host's side of one model: owns its worker, routes events to the requests that wait for them, and starts
 * another worker when one ends unasked.
 */

import type { Worker } from 'node:worker_threads';
import type { EngineStats, ModelInfo } from '../../core/backend.js';
import { deserializeError, TrimtabError } from '../../core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../core/messages.js';
import type {
  Call,
  FromWorker,
  ModelFacts,
  RequestOutput,
  ToWorker,
  WorkerSetup,
} from '../worker/protocol.js';
import { CarriedStats } from './carried-stats.js';
import { type Deferred, deferred } from './deferred.js';
import { EventStream } from './event-stream.js';
import { spawnWorker } from './spawn-worker.js';

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** How long a worker may take to leave by itself when it is asked to. */
const CLOSE_TIMEOUT_MS = 5000;

export class ModelWorker {
  readonly #setup: WorkerSetup;
  readonly #onFailure: (error: TrimtabError) => void;
  readonly #created = Math.floor(Date.now() / 1000);
  readonly #streams = new Map<number, EventStream>();
  readonly #calls = new Map<number, Deferred<unknown>>();
  readonly #stats = new CarriedStats();
  readonly #loaded = deferred<void>();
  #worker: Worker | undefined;
  #exited: Promise<void> = Promise.resolve();
  #facts: ModelFacts | undefined;
  #state: ModelInfo['state'] = 'loading';
  #restarts = 0;
  #failuresInARow = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #lastKey = 0;

  /** `onFailure` hears of every worker that ends unasked. */
  constructor(setup: WorkerSetup, onFailure: (error: TrimtabError) => void) {
    this.#setup = setup;
    this.#onFailure = onFailure;
    this.#loaded.promise.catch(() => {});
    this.#start();
  }

  /** Rejects with the reason when the model can never be served. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  get active(): number {
    return this.#streams.size + this.#calls.size;
  }

  get info(): ModelInfo {
    const { id, weights } = this.#setup.model;
    return {
      id,
      created: this.#created,
      ownedBy: 'trimtab',
      maxModelLength: this.#facts?.maxModelLength ?? 0,
      architecture: this.#facts?.architecture ?? 'unknown',
      weights: this.#facts?.weights ?? (weights === 'auto' ? 'int4' : weights),
      fingerprint: this.#facts?.fingerprint ?? '',
      inputModalities: this.#facts?.inputModalities ?? ['text'],
      toolFormat: this.#facts?.toolFormat,
      state: this.#state,
    };
  }

  get stats(): EngineStats {
    return { ...this.#stats.total, model: this.#setup.model.id, restartsTotal: this.#restarts };
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    if (signal.aborted) return;
    this.#requireReady();
    const key = ++this.#lastKey;
    const stream = new EventStream();
    const cancel = () => {
      if (this.#streams.delete(key)) this.#post({ type: 'cancel', key });
      stream.end();
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      this.#post({ type: 'submit', key, request });
      this.#streams.set(key, stream);
      yield* stream;
    } finally {
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  async call(question: Call): Promise<unknown> {
    this.#requireReady();
    const call = ++this.#lastKey;
    const pending = deferred<unknown>();
    this.#post({ type: 'call', call, question });
    this.#calls.set(call, pending);
    return pending.promise;
  }

  /** Ends the worker; requests that still run fail with `shutting_down`. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restartTimer);
    this.#failActive(new TrimtabError('shutting_down', 'The server stopped before the answer was complete.'));
    this.#post({ type: 'close' });
    const timer = setTimeout(() => void this.#worker?.terminate(), CLOSE_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #requireReady(): void {
    if (this.#state === 'ready') return;
    const { id } = this.#setup.model;
    const reason = {
      loading: 'is still loading',
      restarting: 'is restarting',
      failed: 'could not be loaded',
    };
    throw new TrimtabError('model_unavailable', `The model ${id} ${reason[this.#state]}.`, {
      param: 'model',
      retryAfterSeconds: this.#state === 'failed' ? undefined : 1,
    });
  }

  #start(): void {
    const worker = spawnWorker(this.#setup);
    let reason: unknown;
    this.#worker = worker;
    worker.on('message', (message: FromWorker) => this.#receive(message));
    worker.on('error', (error) => {
      reason = error;
    });
    this.#exited = new Promise((resolve) => {
      worker.on('exit', () => {
        this.#ended(reason);
        resolve();
      });
    });
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#becomeReady(message.facts);
        this.#stats.update(message.stats);
        break;
      case 'load-failed':
        this.#loadFailed(deserializeError(message.error));
        break;
      case 'outputs':
        for (const output of message.outputs) this.#deliver(output);
        break;
      case 'answer':
        this.#takeCall(message.call)?.resolve(message.result);
        break;
      case 'call-failed':
        this.#takeCall(message.call)?.reject(deserializeError(message.error));
        break;
      case 'stats':
        this.#stats.update(message.stats);
        break;
    }
  }

  #becomeReady(facts: ModelFacts): void {
    this.#facts = facts;
    this.#state = 'ready';
    this.#loaded.resolve();
  }

  /** What could not be loaded once never will; a worker that replaces one may be luckier next time. */
  #loadFailed(error: TrimtabError): void {
    if (this.#facts === undefined) this.#state = 'failed';
    this.#loaded.reject(error);
  }

  #deliver(output: RequestOutput): void {
    const stream = this.#streams.get(output.key);
    if (stream === undefined) return;
    if ('error' in output) {
      this.#streams.delete(output.key);
      stream.fail(deserializeError(output.error));
      return;
    }
    stream.push(output.event);
    if (output.event.type !== 'end') return;
    this.#streams.delete(output.key);
    stream.end();
  }

  #takeCall(call: number): Deferred<unknown> | undefined {
    const pending = this.#calls.get(call);
    this.#calls.delete(call);
    return pending;
  }

  #failActive(error: TrimtabError): void {
    for (const stream of this.#streams.values()) stream.fail(error);
    for (const call of this.#calls.values()) call.reject(error);
    this.#streams.clear();
    this.#calls.clear();
  }

  #ended(reason: unknown): void {
    this.#worker = undefined;
    this.#stats.workerEnded();
    if (this.#closed) return;
    const why = reason instanceof Error ? reason.message : 'its thread ended unexpectedly';
    const error = new TrimtabError('engine_failure', `The engine failed: ${why}`, { cause: reason });
    this.#onFailure(error);
    this.#failActive(error);
    this.#loadFailed(error);
    if (this.#state !== 'failed') this.#restart();
  }

  #restart(): void {
    const lived = this.#state === 'ready';
    this.#failuresInARow = lived ? 0 : this.#failuresInARow + 1;
    this.#state = 'restarting';
    this.#restarts++;
    const backoff = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failuresInARow);
    this.#restartTimer = setTimeout(() => this.#start(), backoff);
  }
}
