/** The engine of one model inside its thread: takes requests, runs steps while there is work, reports. */

import { setImmediate, setTimeout } from 'node:timers/promises';
import type { TokenizeOptions, TokenizeResult } from '../../core/backend.js';
import { serializeError, TrimtabError } from '../../core/errors.js';
import type { GenerateRequest, Prompt } from '../../core/messages.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import type { CacheBytes, EngineConfig } from '../config.js';
import { PREFIX_BLOCK_TOKENS, PrefixCache } from '../kv-cache/prefix-cache.js';
import { closeModel, type LoadedModel, numericsClass } from '../loaded-model.js';
import { Scheduler, type SchedulerCounters } from '../scheduler/scheduler.js';
import type { Generation, GenerationListener, GenerationPrompt } from '../sequence/generation.js';
import { Intake } from './intake.js';
import { openDrafting } from './open-drafting.js';
import { visualParts } from './prompt-reader.js';
import type { RequestOutput, WorkerStats } from './protocol.js';
import { ServiceTime } from './service-time.js';

export interface EngineListener {
  outputs(outputs: readonly RequestOutput[]): void;
  stats(stats: WorkerStats): void;
  /** The runner failed in the middle of a step: nothing that is running can go on. */
  broken(error: unknown): void;
}

/** The least context, in tokens, that is worth serving. */
const MIN_CONTEXT = 16;
/** Statistics go out at most this often while the engine is busy, and once when it becomes idle. */
const STATS_INTERVAL_MS = 200;
/**
 * The next step takes all cores, on which the host would have to wait for its turn to pass on a first token. It
 * gets this much time instead.
 */
const FIRST_TOKEN_PAUSE_MS = 1;
/** What drafting remembers is written at most this often, and at the end. */
const DRAFTS_SAVE_INTERVAL_MS = 60_000;

export class Engine {
  readonly #model: LoadedModel;
  readonly #config: EngineConfig;
  readonly #bytes: CacheBytes;
  readonly #listener: EngineListener;
  readonly #prefixes: PrefixCache;
  readonly #drafting: Drafting;
  readonly #scheduler: Scheduler;
  readonly #intake: Intake;
  readonly #generations = new Map<number, Generation>();
  /** Requests whose images are being looked at. */
  readonly #seeing = new Set<number>();
  readonly #serviceTime = new ServiceTime();
  #outputs: RequestOutput[] = [];
  #cancelled = 0;
  #loop: Promise<void> | undefined;
  #closing = false;
  #statsSentAt = 0;
  #draftsSavedAt = performance.now();

  constructor(model: LoadedModel, config: EngineConfig, bytes: CacheBytes, listener: EngineListener) {
    this.#model = model;
    this.#config = config;
    this.#bytes = bytes;
    this.#listener = listener;
    this.#prefixes = new PrefixCache(bytes.prefix);
    this.#drafting = openDrafting(model, config);
    this.#scheduler = new Scheduler(model.runner, this.#prefixes, this.#drafting, {
      ...config,
      kvCacheBytes: Math.min(bytes.kv, model.runner.cache.mostBytes),
    });
    this.#requireMemory(this.#scheduler.longestSequence);
    this.#intake = new Intake(model, config, this.#drafting, this.#scheduler.longestSequence);
  }

  get maxModelLength(): number {
    return this.#intake.maxLength;
  }

  /** Requests that have not ended. */
  get tracked(): number {
    return this.#generations.size + this.#seeing.size;
  }

  get counters(): Readonly<SchedulerCounters> {
    return this.#scheduler.counters;
  }

  /** Everything that goes wrong is reported as the error of that request. */
  submit(key: number, request: GenerateRequest): void {
    const hasImages = visualParts(request.prompt).length > 0;
    try {
      this.#requireRoomInQueue();
      if (hasImages) void this.#submitSeeing(key, request);
      else this.#enqueue(key, request, this.#intake.read(request));
    } catch (error) {
      this.#refuse(key, error);
    }
  }

  /** Unknown keys are requests that ended meanwhile. */
  cancel(key: number): void {
    if (this.#seeing.delete(key)) this.#cancelled++;
    const generation = this.#generations.get(key);
    if (generation === undefined) return;
    generation.cancelled = true;
    this.#generations.delete(key);
    this.#cancelled++;
  }

  async tokenize(prompt: Prompt, options: TokenizeOptions): Promise<TokenizeResult> {
    const { tokenizer } = this.#model;
    const ids = await this.#intake.tokenIds(prompt, options);
    return { ids, pieces: ids.map((id) => tokenizer.tokenPiece(id)), maxModelLength: this.maxModelLength };
  }

  detokenize(ids: readonly number[]): string {
    return this.#model.tokenizer.decode(ids, { skipSpecialTokens: false });
  }

  stats(): WorkerStats {
    const { counters, running, waiting, kvUsage } = this.#scheduler;
    const { heapTotal, external } = process.memoryUsage();
    return {
      running,
      waiting,
      kvCacheUsage: kvUsage,
      kvCacheTokensTotal: Math.floor(this.#bytes.kv / this.#model.runner.cache.bytesPerToken),
      kvBlockSize: PREFIX_BLOCK_TOKENS,
      prefixCacheBytes: this.#prefixes.bytes,
      prefixCacheQueriesTotal: this.#prefixes.queriedTokens,
      prefixCacheHitsTotal: this.#prefixes.hitTokens,
      prefillTokensTotal: counters.prefillTokens,
      decodeTokensTotal: counters.decodeTokens,
      decodeStepsTotal: counters.decodeSteps,
      prefillChunksTotal: counters.prefillChunks,
      stepSecondsTotal: counters.stepMs / 1000,
      cancelledTotal: this.#cancelled,
      workerMemoryBytes: heapTotal + external - this.#model.runner.cache.untouchedBytes,
      drafts: {
        ...this.#drafting.state,
        ...(running === 0 && { suspended: 0 }),
        numericsClass: numericsClass(this.#model),
      },
    };
  }

  /** Stops after the step in progress; what still runs gets no further events. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#loop;
    this.#drafting.stores.save();
    await closeModel(this.#model);
  }

  /** Images are decoded and encoded before the request joins the queue; others go on meanwhile. */
  async #submitSeeing(key: number, request: GenerateRequest): Promise<void> {
    this.#seeing.add(key);
    try {
      const isCancelled = () => !this.#seeing.has(key) || this.#closing;
      const prompt = await this.#intake.see(request, isCancelled);
      if (prompt !== undefined && this.#seeing.has(key)) this.#enqueue(key, request, prompt);
    } catch (error) {
      if (this.#seeing.has(key)) this.#refuse(key, error);
    } finally {
      this.#seeing.delete(key);
    }
  }

  #enqueue(key: number, request: GenerateRequest, prompt: GenerationPrompt): void {
    const generation = this.#intake.generation(request, prompt, this.#listenerOf(key));
    this.#generations.set(key, generation);
    this.#scheduler.enqueue(generation);
    this.#loop ??= this.#run();
  }

  #refuse(key: number, error: unknown): void {
    this.#listener.outputs([{ key, error: serializeError(error) }]);
  }

  #listenerOf(key: number): GenerationListener {
    return {
      emit: (event) => {
        this.#outputs.push({ key, event });
        if (event.type !== 'end') return;
        this.#generations.delete(key);
        this.#serviceTime.add(event.timings.prefillMs + event.timings.decodeMs);
      },
      fail: (error) => {
        this.#outputs.push({ key, error: serializeError(error) });
        this.#generations.delete(key);
      },
    };
  }

  /** Better not to start than to refuse every request. */
  #requireMemory(tokens: number): void {
    if (tokens >= MIN_CONTEXT) return;
    const needed = this.#model.runner.cache.bytesFor(1, MIN_CONTEXT);
    throw new TrimtabError(
      'invalid_config',
      `kvCacheBytes is ${this.#bytes.kv}, but ${MIN_CONTEXT} tokens of this model take ${needed} bytes.`,
      { param: 'kvCacheBytes' },
    );
  }

  #requireRoomInQueue(): void {
    const queued = this.#scheduler.queued + this.#seeing.size;
    if (queued < this.#config.maxQueue + this.#scheduler.freeLanes) return;
    throw new TrimtabError('queue_full', `${queued} requests are waiting, the most that may; retry later.`, {
      retryAfterSeconds: this.#serviceTime.untilFree(queued + 1, this.#config.maxLanes),
    });
  }

  /** Steps while there is work. Between two steps the messages that arrived meanwhile get their turn. */
  async #run(): Promise<void> {
    try {
      while (!this.#scheduler.idle && !this.#closing) {
        await this.#scheduler.step();
        await (this.#flush() ? setTimeout(FIRST_TOKEN_PAUSE_MS) : setImmediate());
      }
      this.#report();
      this.#saveDrafts();
    } catch (error) {
      this.#listener.broken(error);
    } finally {
      this.#loop = undefined;
    }
  }

  /** Sends what the step gave; true if a request got its first token. */
  #flush(): boolean {
    const outputs = this.#outputs;
    this.#outputs = [];
    if (outputs.length > 0) this.#listener.outputs(outputs);
    if (performance.now() - this.#statsSentAt > STATS_INTERVAL_MS) this.#report();
    return outputs.some((output) => 'event' in output && output.event.type === 'start');
  }

  /** When nothing else is to do, and not more often than once a minute. */
  #saveDrafts(): void {
    if (performance.now() - this.#draftsSavedAt < DRAFTS_SAVE_INTERVAL_MS) return;
    this.#draftsSavedAt = performance.now();
    this.#drafting.stores.save();
  }

  #report(): void {
    this.#statsSentAt = performance.now();
    this.#listener.stats(this.stats());
  }
}
