/** The in-thread engine, driven directly: no worker, no messages. Usually on the fake runner. */

import { TrimtabError } from '../../src/core/errors.js';
import type {
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  Timings,
  Usage,
} from '../../src/core/messages.js';
import type { StepTiming } from '../../src/decoding/speculative/cost-model.js';
import { type EngineConfig, engineConfigSchema } from '../../src/engine/config.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { Engine } from '../../src/engine/worker/engine.js';
import type { RequestOutput } from '../../src/engine/worker/protocol.js';
import { BYTE_EOS, ByteTokenizer } from './byte-tokenizer.js';
import { FakeRunner, type FakeRunnerOptions } from './fake-runner.js';
import { generateRequest, type RequestOverrides } from './generate-request.js';

/** Verifying costs nothing, so that everything that can be drafted is. */
export const freeVerification: readonly StepTiming[] = [1, 256].map((rows) => ({
  rows,
  context: 0,
  ms: 10,
}));

export type FakeModel = LoadedModel & { readonly runner: FakeRunner };

export function fakeModel(options: FakeRunnerOptions = {}): FakeModel {
  return {
    runner: new FakeRunner(options),
    tokenizer: new ByteTokenizer(),
    eosTokenIds: [BYTE_EOS],
    stepTimings: freeVerification,
    info: {
      architecture: 'fake',
      weights: 'fp32',
      fingerprint: 'fake-1',
      inputModalities: ['text'],
      toolFormat: 'fake',
    },
  };
}

export interface ChoiceResult {
  text: string;
  reason: FinishReason | undefined;
  matchedStop: string | number | null;
}

export interface Result {
  readonly choices: readonly ChoiceResult[];
  readonly usage: Usage;
  readonly timings: Timings;
  readonly events: readonly GenerateEvent[];
}

/** What a client that waits for everything would see. */
export function collect(events: readonly GenerateEvent[], n: number): Result {
  const choices = Array.from(
    { length: n },
    (): ChoiceResult => ({ text: '', reason: undefined, matchedStop: null }),
  );
  for (const event of events) {
    if (event.type === 'delta') choices[event.choice]!.text += event.text;
    if (event.type === 'finish') Object.assign(choices[event.choice]!, event);
  }
  const end = events.at(-1);
  if (end?.type !== 'end') throw new Error('the request did not end');
  return { choices, usage: end.usage, timings: end.timings, events };
}

export interface ModelHarnessOptions {
  readonly config?: Partial<EngineConfig>;
  readonly kvTokens?: number;
  readonly prefixTokens?: number;
}

export class ModelHarness<M extends LoadedModel> {
  readonly model: M;
  readonly engine: Engine;
  /** The outputs of each step. */
  readonly batches: (readonly RequestOutput[])[] = [];
  readonly #events = new Map<number, GenerateEvent[]>();
  readonly #settle = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #lastKey = 0;

  constructor(model: M, { config = {}, kvTokens = 8192, prefixTokens = 0 }: ModelHarnessOptions) {
    this.model = model;
    const { bytesPerToken } = this.model.runner.cache;
    const bytes = { kv: kvTokens * bytesPerToken, prefix: prefixTokens * bytesPerToken };
    this.engine = new Engine(this.model, engineConfigSchema.parse(config), bytes, {
      outputs: (outputs) => this.#receive(outputs),
      stats: () => {},
      broken: (error) => {
        for (const { reject } of this.#settle.values())
          reject(error instanceof Error ? error : new Error(String(error)));
      },
    });
  }

  /** Resolves when the request has ended; the key is for `engine.cancel`. */
  submit(request: GenerateRequest): { readonly key: number; readonly result: Promise<Result> } {
    const key = ++this.#lastKey;
    const events: GenerateEvent[] = [];
    this.#events.set(key, events);
    const result = new Promise<void>((resolve, reject) => {
      this.#settle.set(key, { resolve, reject });
    }).then(() => collect(events, request.n));
    this.engine.submit(key, request);
    return { key, result };
  }

  run(overrides: RequestOverrides = {}): Promise<Result> {
    return this.submit(generateRequest(overrides)).result;
  }

  /** Cancels if the request still runs, and only then calls back. */
  cancel(key: number, whenCancelled: () => void): void {
    const { tracked } = this.engine;
    this.engine.cancel(key);
    if (this.engine.tracked < tracked) whenCancelled();
  }

  /** Resolves once nothing runs or waits. */
  async idle(): Promise<void> {
    while (this.engine.tracked + this.engine.stats().running + this.engine.stats().waiting > 0) {
      await new Promise(setImmediate);
    }
  }

  eventsOf(key: number): readonly GenerateEvent[] {
    return this.#events.get(key) ?? [];
  }

  #receive(outputs: readonly RequestOutput[]): void {
    this.batches.push(outputs);
    for (const output of outputs) {
      const settle = this.#settle.get(output.key)!;
      if ('error' in output) {
        settle.reject(new TrimtabError(output.error.code, output.error.message, output.error));
        continue;
      }
      this.#events.get(output.key)!.push(output.event);
      if (output.event.type === 'end') settle.resolve();
    }
  }
}

export type HarnessOptions = ModelHarnessOptions & FakeRunnerOptions;

export class EngineHarness extends ModelHarness<FakeModel> {
  constructor(options: HarnessOptions = {}) {
    super(fakeModel(options), options);
  }
}
