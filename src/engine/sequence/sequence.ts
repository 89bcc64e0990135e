/** One choice of one request: its tokens, and how a row of logits becomes the next of them. */

import { TrimtabError } from '../../core/errors.js';
import type { FinishReason, TokenLogprob } from '../../core/messages.js';
import type { RandomStream } from '../../decoding/random.js';
import type { Drafter } from '../../decoding/speculative/drafter.js';
import { StopConditions } from '../../decoding/stop-conditions.js';
import { StopStringMatcher } from '../../decoding/stop-strings.js';
import type { TokenConstraint } from '../../decoding/token-constraint.js';
import { TokenHistory } from '../../decoding/token-history.js';
import type { AnswerReader } from '../answer/answer-reader.js';
import type { KvRows } from '../kv-cache/lane-cache.js';
import { describeChoice } from './describe-token.js';
import type { Generation } from './generation.js';
import { NO_OUTPUT, OutputText } from './output-text.js';

interface Ending {
  readonly reason: FinishReason;
  readonly matchedStop: string | number | null;
}

/** Nothing may follow: no end token needs to be computed. */
const COMPLETE: Ending = { reason: 'stop', matchedStop: null };

/** No token at all, whatever the vocabulary. */
const NOTHING = new Uint32Array(0);

export class Sequence {
  readonly generation: Generation;
  readonly choice: number;
  /** Prompt and output. The keys and values of all but the last of them are, or will be, in the lane. */
  readonly tokens: number[];
  /** Keys and values while the sequence has no lane but has computed some. */
  saved: KvRows | undefined;
  finished = false;
  /** Tokens of the output that were thoughts. */
  reasoningTokens = 0;
  #drafter: Drafter | undefined;
  #isDraftingDecided = false;
  /** Where the constraint gave up when a draft asked it, and why; asked again it would say something else. */
  #givenUp: { readonly tokens: readonly number[]; readonly error: TrimtabError } | undefined;
  readonly #random: RandomStream;
  readonly #history: TokenHistory;
  readonly #stops: StopConditions;
  readonly #constraint: TokenConstraint | undefined;
  readonly #output: OutputText;
  readonly #reader: AnswerReader;

  constructor(generation: Generation, choice: number, random: RandomStream) {
    const { request, promptIds, model, answer } = generation;
    this.generation = generation;
    this.choice = choice;
    this.tokens = [...promptIds];
    this.#random = random;
    this.#constraint = answer.constraint();
    this.#reader = answer.reader();
    this.#history = new TokenHistory(promptIds);
    this.#stops = new StopConditions(request.stop, model.eosTokenIds, generation.maxTokens);
    const continuation = request.prompt.kind !== 'chat' || request.prompt.continueFinalMessage;
    this.#output = new OutputText(
      model.tokenizer.stream({
        skipSpecialTokens: request.skipSpecialTokens,
        kept: answer.markerIds,
        continuation,
      }),
      new StopStringMatcher(request.stop.strings, request.stop.includeStopString),
    );
  }

  get outputLength(): number {
    return this.#history.outputLength;
  }

  /** Tokens that may still come. */
  get tokensLeft(): number {
    return this.generation.maxTokens - this.outputLength;
  }

  /** What drafts for this sequence, opened when it begins to decode; undefined if it shall not draft. */
  get drafter(): Drafter | undefined {
    if (this.#isDraftingDecided) return this.#drafter;
    this.#isDraftingDecided = true;
    this.#drafter = this.generation.drafts.open(this.tokens, {
      isFinal: (token) => this.#stops.isEnding(token),
      allowedAfter: this.#constraint && (({ drafted }) => this.#allowedAfter(drafted)),
    });
    return this.#drafter;
  }

  /** The drafter, if it has one already. */
  get openedDrafter(): Drafter | undefined {
    return this.#drafter;
  }

  /** Draws the next token from `[vocab]` logits, which stay as they are, and reports what came of it. */
  accept(logits: Float32Array, peaks?: Float32Array): number {
    const id = this.#draw(logits, peaks);
    this.tokens.push(id);
    this.#history.append(id);
    this.#constraint?.accept(id);
    const ending = this.#report(id, this.#describe(logits, id));
    if (ending !== null) this.finish(ending);
    return id;
  }

  finish({ reason, matchedStop }: Ending): void {
    this.finished = true;
    this.#drafter?.finish();
    this.generation.emit({ type: 'finish', choice: this.choice, reason, matchedStop });
  }

  toString(): string {
    return `choice ${this.choice} of request ${this.generation.request.id}`;
  }

  /** Tries out a draft on the constraint and takes it back; nothing may follow where the constraint gives up. */
  #allowedAfter(drafted: readonly number[]): Uint32Array | undefined {
    const constraint = this.#constraint;
    if (constraint === undefined) return undefined;
    if (this.#givenUp !== undefined) return NOTHING;
    let taken = 0;
    try {
      for (const token of drafted) {
        constraint.accept(token);
        taken++;
      }
      return constraint.complete ? NOTHING : constraint.allowed();
    } catch (error) {
      if (!(error instanceof TrimtabError)) throw error;
      this.#givenUp = { tokens: [...this.tokens, ...drafted], error };
      return NOTHING;
    } finally {
      constraint.rollback(taken);
    }
  }

  #draw(logits: Float32Array, peaks: Float32Array | undefined): number {
    if (this.#givenUp !== undefined && isSame(this.#givenUp.tokens, this.tokens)) throw this.#givenUp.error;
    const position = this.outputLength;
    const context = {
      history: this.#history,
      bannedTokens: this.#stops.bannedTokens(position),
      allowed: this.#constraint?.allowed(),
    };
    const { model, request } = this.generation;
    const u = this.#random.uniform(position);
    return model.sampler.sample(logits, request.sampling, context, u, peaks);
  }

  #describe(logits: Float32Array, id: number): TokenLogprob | undefined {
    const { request, model } = this.generation;
    if (request.topLogprobs === undefined) return undefined;
    return describeChoice(model.tokenizer, logits, id, request.topLogprobs);
  }

  /** Emits the text that the token sets free; the result says whether and why the sequence ends with it. */
  #report(id: number, logprob: TokenLogprob | undefined): Ending | null {
    const stopped = this.#stops.check(id, this.outputLength);
    const mayStop = this.#stops.mayStop(this.outputLength);
    const silent = stopped?.reason === 'stop';
    const ending = silent || !this.#constraint?.complete ? stopped : COMPLETE;
    const piece = silent ? NO_OUTPUT : this.#output.push(id, mayStop, logprob);
    const last = ending !== null && piece.matched === null ? this.#output.finish(mayStop) : NO_OUTPUT;
    const matchedStop = piece.matched ?? last.matched;
    const finish: Ending | null = matchedStop === null ? ending : { reason: 'stop', matchedStop };
    this.#emit(piece.text + last.text, finish !== null, [...piece.logprobs, ...last.logprobs]);
    return finish;
  }

  #emit(text: string, isLast: boolean, logprobs: readonly TokenLogprob[]): void {
    if (this.#reader.isThinking) this.reasoningTokens++;
    const answer = isLast ? this.#reader.finish(text) : this.#reader.push(text);
    this.generation.emit({
      type: 'delta',
      choice: this.choice,
      text: answer.text,
      ...(answer.reasoning === '' ? {} : { reasoning: answer.reasoning }),
      ...(answer.toolCalls.length === 0 ? {} : { toolCalls: answer.toolCalls }),
      tokenCount: 1,
      ...(this.generation.request.topLogprobs === undefined ? {} : { logprobs }),
    });
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((token, i) => token === b[i]);
}
