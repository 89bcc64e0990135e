/**
 * A backend in memory for tests of the server: it answers with the text of the last message (or of the prompt),
 * with lanes, a bounded queue, a prefix cache and cancellation like the real one.
 */

import { setImmediate, setTimeout } from 'node:timers/promises';
import type {
  Backend,
  EngineStats,
  ModelInfo,
  TokenizeOptions,
  TokenizeResult,
} from '../../src/core/backend.js';
import { TrimtabError } from '../../src/core/errors.js';
import type {
  ChatMessage,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  Prompt,
} from '../../src/core/messages.js';
import type { TokenConstraint } from '../../src/decoding/token-constraint.js';
import type { AnswerFormat } from '../../src/engine/answer/answer-format.js';
import type { AnswerPiece, AnswerReader } from '../../src/engine/answer/answer-reader.js';
import {
  answerPlan,
  beginToken,
  decode,
  encode,
  endToken,
  nextLogprobs,
  pieceOf,
  randomStream,
  sample,
  tokenLogprob,
  unscoredToken,
} from './echo-model.js';
import { TextStream } from './text-stream.js';

export interface EchoOptions {
  readonly models?: readonly string[];
  readonly lanes?: number;
  readonly queueLimit?: number;
  readonly maxModelLength?: number;
  /** Pause before the first token and between tokens. */
  readonly prefillMs?: number;
  readonly stepMs?: number;
  /** Breaks with `engine_failure` after so many tokens. */
  readonly failAfterTokens?: number;
  readonly state?: ModelInfo['state'];
  readonly answerFormat?: AnswerFormat;
}

export class EchoBackend implements Backend {
  /** Every request as the server understood it. */
  readonly requests: GenerateRequest[] = [];
  running = 0;
  waiting = 0;
  cancelled = 0;
  private decodedTokens = 0;
  private closing = false;
  private readonly wakeups: Array<() => void> = [];
  private readonly cachedPrompts = new Map<string, number[][]>();

  constructor(private readonly options: EchoOptions = {}) {}

  models(): ModelInfo[] {
    const { models = ['echo'], maxModelLength = 1024, state = 'ready' } = this.options;
    return models.map((id) => ({
      id,
      created: 1_700_000_000,
      ownedBy: 'trimtab',
      maxModelLength,
      architecture: 'echo',
      weights: 'fp32',
      fingerprint: `fp_echo_${id.length}`,
      inputModalities: ['text'],
      state,
    }));
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<GenerateEvent> {
    this.requests.push(request);
    const arrived = performance.now();
    const prompt = this.promptIds(request);
    this.admit(request, prompt);
    await this.takeLane(signal);
    if (signal.aborted) return;
    const queueMs = performance.now() - arrived;
    try {
      yield* this.run(request, prompt, queueMs, signal);
    } finally {
      if (signal.aborted) this.cancelled++;
      this.running--;
      this.wakeups.shift()?.();
    }
  }

  async tokenize(
    model: string,
    prompt: Prompt,
    { addSpecialTokens }: TokenizeOptions,
  ): Promise<TokenizeResult> {
    const { maxModelLength } = this.requireModel(model);
    const ids = promptIds(prompt, addSpecialTokens);
    return { ids, pieces: ids.map(pieceOf), maxModelLength };
  }

  async detokenize(model: string, ids: readonly number[]): Promise<string> {
    this.requireModel(model);
    const wrong = ids.findIndex((id) => id > endToken);
    if (wrong < 0) return decode(ids);
    throw new TrimtabError('invalid_request', `tokens[${wrong}]: expected ≤ ${endToken}`, {
      param: `tokens[${wrong}]`,
    });
  }

  ready(): boolean {
    return !this.closing && (this.options.state ?? 'ready') === 'ready';
  }

  stats(): EngineStats[] {
    return this.models().map(({ id }) => ({
      model: id,
      running: this.running,
      waiting: this.waiting,
      kvCacheUsage: this.running / this.lanes,
      kvCacheTokensTotal: 16_384,
      kvBlockSize: 16,
      prefixCacheBytes: 0,
      prefixCacheQueriesTotal: 0,
      prefixCacheHitsTotal: 0,
      prefillTokensTotal: 0,
      decodeTokensTotal: this.decodedTokens,
      decodeStepsTotal: this.decodedTokens,
      prefillChunksTotal: 0,
      stepSecondsTotal: 0,
      cancelledTotal: this.cancelled,
      restartsTotal: 0,
      workerMemoryBytes: 0,
    }));
  }

  async close(): Promise<void> {
    this.closing = true;
    while (this.running > 0) await setTimeout(1);
  }

  private get lanes(): number {
    return this.options.lanes ?? 64;
  }

  private requireModel(id: string): ModelInfo {
    const model = this.models().find((candidate) => candidate.id === id);
    if (model === undefined) throw new TrimtabError('model_not_found', `no model ${id}`, { param: 'model' });
    return model;
  }

  private promptIds(request: GenerateRequest): number[] {
    return promptIds(request.prompt, true);
  }

  private admit(request: GenerateRequest, prompt: readonly number[]): void {
    const { maxModelLength, state } = this.requireModel(request.model);
    if (this.closing) throw new TrimtabError('shutting_down', 'draining', { retryAfterSeconds: 3 });
    if (state !== 'ready') throw new TrimtabError('model_unavailable', `${request.model} is ${state}`);
    answerPlan(request, this.options.answerFormat); // what is wrong with it is said before the first event
    if (prompt.length + (request.stop.maxTokens ?? 1) > maxModelLength) {
      throw new TrimtabError('context_length_exceeded', `${prompt.length} prompt tokens do not fit`, {
        param: request.prompt.kind === 'chat' ? 'messages' : 'prompt',
        details: { n_prompt_tokens: prompt.length, n_ctx: maxModelLength },
      });
    }
    if (this.running >= this.lanes && this.waiting >= (this.options.queueLimit ?? 1024)) {
      throw new TrimtabError('queue_full', 'too many requests are waiting', { retryAfterSeconds: 2 });
    }
  }

  private async takeLane(signal: AbortSignal): Promise<void> {
    while (this.running >= this.lanes && !signal.aborted) {
      this.waiting++;
      await new Promise<void>((resolve) => {
        this.wakeups.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      this.waiting--;
    }
    if (!signal.aborted) this.running++;
  }

  private async *run(
    request: GenerateRequest,
    prompt: readonly number[],
    queueMs: number,
    signal: AbortSignal,
  ): AsyncGenerator<GenerateEvent> {
    const begun = performance.now();
    const cachedTokens = request.cachePrompt ? this.lookUp(request, prompt) : 0;
    await pause(this.options.prefillMs, signal);
    if (signal.aborted) return;
    const prefillMs = performance.now() - begun;
    yield { type: 'start', promptTokens: prompt.length, cachedTokens, ...echoed(request, prompt) };
    const room = this.requireModel(request.model).maxModelLength - prompt.length;
    const choices = Array.from(
      { length: request.n },
      (_, index) =>
        new Choice(request, prompt.length, index, request.stop.maxTokens ?? room, this.options.answerFormat),
    );
    while (choices.some((choice) => !choice.isFinished)) {
      for (const choice of choices) {
        if (choice.isFinished) continue;
        this.failIfAsked(choice);
        const counted = choice.tokenCount;
        yield* choice.step();
        this.decodedTokens += choice.tokenCount - counted;
      }
      await pause(this.options.stepMs, signal);
      if (signal.aborted) return;
    }
    const completionTokens = choices.reduce((total, choice) => total + choice.tokenCount, 0);
    const decodeMs = performance.now() - begun - prefillMs;
    yield {
      type: 'end',
      usage: { promptTokens: prompt.length, cachedTokens, completionTokens },
      timings: { queueMs, prefillMs, decodeMs },
    };
  }

  private failIfAsked(choice: Choice): void {
    if (choice.tokenCount === this.options.failAfterTokens) {
      throw new TrimtabError('engine_failure', 'the worker died');
    }
  }

  /** Tokens that an earlier prompt of the same salt began with, never the whole prompt. */
  private lookUp(request: GenerateRequest, prompt: readonly number[]): number {
    const key = `${request.model}/${request.cacheSalt ?? ''}`;
    const earlier = this.cachedPrompts.get(key) ?? [];
    this.cachedPrompts.set(key, [...earlier.slice(-7), [...prompt]]);
    return Math.max(0, ...earlier.map((other) => Math.min(commonLength(other, prompt), prompt.length - 1)));
  }
}

/** One choice while it is generated. */
class Choice {
  tokenCount = 0;
  isFinished = false;
  private readonly script: readonly number[];
  private readonly text: TextStream;
  private readonly random: () => number;
  private readonly constraint: TokenConstraint | undefined;
  private readonly reader: AnswerReader;

  constructor(
    private readonly request: GenerateRequest,
    private readonly promptLength: number,
    private readonly index: number,
    private readonly maxTokens: number,
    answerFormat: AnswerFormat | undefined,
  ) {
    this.script = [...encode(scriptOf(request.prompt)), endToken];
    this.text = new TextStream(request.stop.strings, request.stop.includeStopString);
    const plan = answerPlan(request, answerFormat);
    this.constraint = plan.constraint();
    this.reader = plan.reader();
    const { seed } = request.sampling;
    this.random = randomStream(seed === undefined ? Math.random() * 2 ** 31 : seed * 131 + index);
  }

  *step(): Generator<GenerateEvent> {
    const { stop, sampling, topLogprobs } = this.request;
    if (this.tokenCount === this.maxTokens) return yield* this.finish('length', null);
    const likely = this.script[this.tokenCount % this.script.length]!;
    const banned = stop.ignoreEos || this.tokenCount < stop.minTokens ? [endToken] : [];
    const logprobs = nextLogprobs(
      likely,
      this.promptLength + this.tokenCount,
      sampling,
      banned,
      this.constraint?.allowed(),
    );
    const id = sample(logprobs, sampling.temperature, this.random);
    if (id === endToken) return yield* this.finish('stop', null);
    this.tokenCount++;
    this.constraint?.accept(id);
    const text = this.text.push(id);
    const scored = topLogprobs === undefined ? {} : { logprobs: [tokenLogprob(id, logprobs, topLogprobs)] };
    const read = this.reader.push(text);
    yield { type: 'delta', choice: this.index, ...pieceFields(read), tokenCount: 1, ...scored };
    if (this.constraint?.complete) yield* this.finish('stop', null);
    else if (this.text.matched !== null) yield* this.finish('stop', this.text.matched);
    else if (stop.tokenIds.includes(id)) yield* this.finish('stop', id);
  }

  private *finish(reason: FinishReason, matchedStop: string | number | null): Generator<GenerateEvent> {
    const rest = pieceFields(this.reader.finish(this.text.flush()));
    if (Object.keys(rest).length > 1 || rest.text !== '') {
      yield { type: 'delta', choice: this.index, ...rest, tokenCount: 0 };
    }
    this.isFinished = true;
    yield { type: 'finish', choice: this.index, reason, matchedStop };
  }
}

function pieceFields({ text, reasoning, toolCalls }: AnswerPiece) {
  return {
    text,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

/** An image is echoed as its size in bytes. */
function textOf(content: ChatMessage['content']): string {
  if (content === null || typeof content === 'string') return content ?? '';
  return content
    .map((part) =>
      part.type === 'text' ? part.text : part.type === 'image' ? `<${part.bytes.length}>` : '<?>',
    )
    .join('');
}

function scriptOf(prompt: Prompt): string {
  if (prompt.kind === 'text') return prompt.text;
  if (prompt.kind === 'tokens') return decode(prompt.ids);
  return textOf(prompt.messages.at(-1)?.content ?? null);
}

function promptIds(prompt: Prompt, addSpecialTokens: boolean): number[] {
  if (prompt.kind === 'tokens') return [...prompt.ids];
  if (prompt.kind === 'text') return [...(addSpecialTokens ? [beginToken] : []), ...encode(prompt.text)];
  const lines = prompt.messages.map((message) => `${message.role}: ${textOf(message.content)}\n`);
  const end = prompt.addGenerationPrompt ? 'assistant: ' : '';
  return [beginToken, ...encode(lines.join('') + end)];
}

function echoed(request: GenerateRequest, prompt: readonly number[]) {
  if (!request.echo) return {};
  const promptText = decode(prompt);
  const { topLogprobs, sampling } = request;
  if (topLogprobs === undefined) return { promptText };
  const promptLogprobs = prompt.map((id, i) => {
    if (i === 0) return unscoredToken(id);
    return tokenLogprob(id, nextLogprobs(endToken, i, sampling, []), topLogprobs);
  });
  return { promptText, promptLogprobs };
}

function commonLength(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((id, i) => id !== b[i]);
  return differs < 0 ? Math.min(a.length, b.length) : differs;
}

async function pause(ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (ms === undefined) await setImmediate();
  else await setTimeout(ms, undefined, { signal }).catch(() => {}); // an aborted pause is just over
}
