/** One request on its way through the engine: its prompt, its choices and the events that it gives. */

import type { GenerateEvent, GenerateRequest, ImageUsage, Timings, Usage } from '../../core/messages.js';
import { RandomStream, randomSeed } from '../../decoding/random.js';
import type { Sampler } from '../../decoding/sampler.js';
import { type AnswerPlan, plainAnswer } from '../answer/answer-plan.js';
import type { PrunedPrompt } from '../kv-cache/pruned-prompt.js';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/tokenizer.js';
import { type CostModel, ImageLedger, type MergingWork } from './image-ledger.js';
import type { ImageSpan } from './image-span.js';
import { PromptScorer } from './prompt-scorer.js';
import { type PruningPlan, planBehind } from './pruning-plan.js';
import { type DraftingModel, type DraftingPrompt, RequestDrafts } from './request-drafts.js';
import { Sequence } from './sequence.js';

/** What all requests to one model share. */
export interface GenerationModel extends DraftingModel {
  readonly tokenizer: Tokenizer;
  readonly sampler: Sampler;
  readonly eosTokenIds: readonly number[];
  /** Longest prompt plus completion, in tokens. */
  readonly maxLength: number;
  readonly cost: CostModel;
}

/** A prompt with the rows of its images, if it has any. */
export interface GenerationPrompt extends EncodedPrompt, DraftingPrompt {
  readonly images?: readonly ImageSpan[];
  readonly imageUsage?: ImageUsage;
  readonly merging?: MergingWork;
  readonly pruning?: PruningPlan | undefined;
}

export interface GenerationListener {
  emit(event: GenerateEvent): void;
  /** The request ends without an `end` event. */
  fail(error: unknown): void;
}

export class Generation {
  readonly request: GenerateRequest;
  readonly model: GenerationModel;
  readonly promptIds: readonly number[];
  readonly images: readonly ImageSpan[];
  /** Only of requests with images. */
  readonly ledger: ImageLedger | undefined;
  /** What the context leaves, if the request does not say less. */
  readonly maxTokens: number;
  /** Place in the queue, see `byRank`; lower runs earlier. */
  readonly rank: number;
  /** Breaks ties of rank. */
  readonly order: number;
  readonly sequences: readonly Sequence[];
  readonly drafts: RequestDrafts;
  /** Set from outside at any time, heeded between two steps. */
  cancelled = false;
  readonly #listener: GenerationListener;
  readonly #promptText: string;
  readonly #imageUsage: ImageUsage | undefined;
  readonly #scorer: PromptScorer | undefined;
  readonly #submittedAt = performance.now();
  #admittedAt: number | undefined;
  #promptDoneAt: number | undefined;
  #cachedTokens = 0;
  #pruning: PruningPlan | undefined;

  constructor(
    request: GenerateRequest,
    prompt: GenerationPrompt,
    model: GenerationModel,
    place: { readonly rank: number; readonly order: number },
    listener: GenerationListener,
    readonly answer: AnswerPlan = plainAnswer,
  ) {
    this.request = request;
    this.model = model;
    this.promptIds = prompt.ids;
    this.images = prompt.images ?? [];
    this.#imageUsage = prompt.imageUsage;
    this.#pruning = prompt.pruning;
    this.ledger =
      prompt.merging &&
      new ImageLedger(model.cost, prompt.ids.length, this.images, prompt.merging, prompt.pruning);
    this.rank = place.rank;
    this.order = place.order;
    this.#listener = listener;
    this.#promptText = prompt.text;
    this.drafts = new RequestDrafts(request, prompt, model);
    this.maxTokens = Math.min(
      request.stop.maxTokens ?? Number.POSITIVE_INFINITY,
      model.maxLength - prompt.ids.length,
    );
    if (request.echo && request.topLogprobs !== undefined) {
      this.#scorer = new PromptScorer(model.tokenizer, prompt.ids, request.topLogprobs);
    }
    const seed = request.sampling.seed ?? randomSeed();
    this.sequences = Array.from(
      { length: request.n },
      (_, choice) => new Sequence(this, choice, new RandomStream(seed, choice)),
    );
  }

  /** The choice that computes the prompt for all of them. */
  get leader(): Sequence {
    return this.sequences[0]!;
  }

  get pruning(): PruningPlan | undefined {
    return this.#pruning;
  }

  /** Takes an earlier turn over as it was pruned; to be called before the leader gets its lane. */
  continueBehind(base: PrunedPrompt): void {
    const { layers, entering } = this.#pruning!;
    const tokens = { layers, layerCount: entering.length, promptLength: this.promptIds.length };
    this.#pruning = planBehind(base, { ...tokens, spans: this.images });
    this.ledger?.replan(this.#pruning);
  }

  get admitted(): boolean {
    return this.#admittedAt !== undefined;
  }

  get promptDone(): boolean {
    return this.#promptDoneAt !== undefined;
  }

  /** True while every row of logits of the prompt is wanted, not just the last. */
  get scoring(): boolean {
    return this.#scorer !== undefined && !this.promptDone;
  }

  /** Everything that shapes keys and values besides the tokens; undefined keeps out of the prefix cache. */
  get cacheScope(): string | undefined {
    const { cachePrompt, cacheSalt } = this.request;
    return cachePrompt ? JSON.stringify([this.model.fingerprint, cacheSalt ?? null]) : undefined;
  }

  emit(event: GenerateEvent): void {
    this.#listener.emit(event);
  }

  fail(error: unknown): void {
    this.cancelled = true;
    this.#listener.fail(error);
  }

  /**
   * The leader has its lane; the first `cachedTokens` of the prompt need no computing, and `lowerCached` behind them
   * none in the layers before the one where pruning begins.
   */
  admit(cachedTokens: number, lowerCached: number): void {
    this.ledger?.foundLower(lowerCached);
    this.#admittedAt = performance.now();
    this.#cachedTokens = cachedTokens;
    if (!this.scoring) this.#start();
  }

  /** Logits `[rows, vocab]` of the next rows of the prompt. */
  score(logits: readonly Float32Array[]): void {
    for (const row of logits) this.#scorer?.add(row);
  }

  /** Draws the first token of every choice from the logits of the last prompt token. */
  acceptPrompt(logits: Float32Array): void {
    if (this.scoring) this.#start();
    this.#promptDoneAt = performance.now();
    for (const sequence of this.sequences) {
      if (this.maxTokens === 0) sequence.finish({ reason: 'length', matchedStop: null });
      else sequence.accept(logits);
    }
  }

  /** To be called after a choice took a token. */
  endIfDone(): void {
    if (this.cancelled || !this.sequences.every((sequence) => sequence.finished)) return;
    const completionTokens = this.sequences.reduce((sum, sequence) => sum + sequence.outputLength, 0);
    const reasoningTokens = this.sequences.reduce((sum, sequence) => sum + sequence.reasoningTokens, 0);
    const timings = this.#timings();
    const usage = {
      promptTokens: this.promptIds.length,
      cachedTokens: this.#cachedTokens,
      completionTokens,
      ...(reasoningTokens === 0 ? {} : { reasoningTokens }),
      ...this.#details(timings),
    };
    this.emit({ type: 'end', usage, timings });
  }

  #start(): void {
    this.emit({
      type: 'start',
      promptTokens: this.promptIds.length,
      cachedTokens: this.#cachedTokens,
      ...(this.request.echo ? { promptText: this.#promptText } : {}),
      ...(this.#scorer === undefined ? {} : { promptLogprobs: this.#scorer.scored }),
    });
  }

  /** What images cost, and what was merged, pruned and drafted. */
  #details({ prefillMs }: Timings): Pick<Usage, 'images' | 'efficiency'> {
    const images = this.#imageUsage;
    const outputs = this.sequences.map((sequence) => sequence.outputLength);
    const draftVerification = this.drafts.receipt(this.sequences);
    const seen = images === undefined ? undefined : this.ledger?.receipt(outputs, images, prefillMs);
    const efficiency = { ...seen, ...(draftVerification !== undefined && { draftVerification }) };
    return {
      ...(images !== undefined && { images }),
      ...(Object.keys(efficiency).length > 0 && { efficiency }),
    };
  }

  #timings(): Timings {
    const [admittedAt, promptDoneAt] = [this.#admittedAt!, this.#promptDoneAt!];
    return {
      queueMs: admittedAt - this.#submittedAt,
      prefillMs: promptDoneAt - admittedAt,
      decodeMs: performance.now() - promptDoneAt,
    };
  }
}
