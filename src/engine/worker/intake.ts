/** From a request to a generation that can wait for a lane: its prompt read and checked, its choices settled. */

import type { TokenizeOptions } from '../../core/backend.js';
import { type EfficiencyOptions, type EfficiencyPlan, efficiencyPlan } from '../../core/efficiency.js';
import type { GenerateRequest, Prompt } from '../../core/messages.js';
import { GrammarCache } from '../../decoding/grammar/grammar-cache.js';
import { Sampler } from '../../decoding/sampler.js';
import type { Drafting } from '../../decoding/speculative/drafting.js';
import { plainFormat } from '../answer/answer-format.js';
import { planAnswer } from '../answer/answer-plan.js';
import type { EngineConfig } from '../config.js';
import { type LoadedModel, numericsClass } from '../loaded-model.js';
import { PRIORITY_HANDICAP_MS } from '../scheduler/waiting-queue.js';
import {
  Generation,
  type GenerationListener,
  type GenerationModel,
  type GenerationPrompt,
} from '../sequence/generation.js';
import { type PruningPlan, planPruning, transientBytes } from '../sequence/pruning-plan.js';
import { vocabularySource } from '../tokenizer/token-spelling.js';
import { visualPolicy } from '../vision/reduce-visual-tokens.js';
import type { Look } from '../vision/visual-planner.js';
import { checkRequest, tooLongToPrune } from './admission.js';
import { encodePrediction } from './prediction.js';
import { PromptReader, visualParts } from './prompt-reader.js';

/** Longer texts are not tokenised: those that are being answered would have to wait meanwhile. */
const TOKENIZE_CONTEXTS = 8;

export class Intake {
  readonly #model: LoadedModel;
  readonly #config: EngineConfig;
  readonly #shared: GenerationModel;
  readonly #prompts: PromptReader;
  readonly #grammars: GrammarCache;
  #order = 0;

  /** `longestSequence` is what memory and model allow, in tokens; the configuration may allow less. */
  constructor(model: LoadedModel, config: EngineConfig, drafting: Drafting, longestSequence: number) {
    const { runner, tokenizer, vision, eosTokenIds } = model;
    this.#model = model;
    this.#config = config;
    this.#prompts = new PromptReader(tokenizer, vision);
    this.#grammars = new GrammarCache(vocabularySource(tokenizer, runner.vocabSize, eosTokenIds));
    this.#shared = {
      tokenizer,
      eosTokenIds,
      sampler: new Sampler(runner.vocabSize),
      fingerprint: model.info.fingerprint,
      maxLength: Math.min(longestSequence, config.maxModelLength ?? Number.POSITIVE_INFINITY),
      cost: {
        shape: runner.shape,
        kvRowBytes: runner.cache.bytesPerToken / runner.shape.layers,
        chunk: config.prefillChunk,
      },
      drafting,
      numericsClass: numericsClass(model),
      rowsAreExact: runner.rowsAreExact,
      efficiency: [model.efficiency ?? {}, config.efficiency],
    };
  }

  /** Longest prompt plus completion, in tokens. */
  get maxLength(): number {
    return this.#shared.maxLength;
  }

  /** A prompt without images. */
  read(request: GenerateRequest): GenerationPrompt {
    return this.#prompts.read(request.prompt, this.maxLength);
  }

  /** A prompt with its images decoded and encoded; undefined if it was cancelled meanwhile. */
  see(request: GenerateRequest, isCancelled: () => boolean): Promise<GenerationPrompt | undefined> {
    return this.#prompts.see(request.prompt, {
      maxTokens: this.maxLength,
      look: this.#look(request.efficiency),
      check: (ids) => this.#check(request, ids),
      isCancelled,
    });
  }

  /** Throws what is wrong with the request. */
  generation(request: GenerateRequest, prompt: GenerationPrompt, listener: GenerationListener): Generation {
    this.#check(request, prompt.ids);
    const format = this.#model.answerFormat ?? plainFormat;
    const answer = planAnswer(request, prompt.text, format, this.#grammars);
    const rank = performance.now() + request.priority * PRIORITY_HANDICAP_MS;
    const whole = {
      ...prompt,
      pruning: this.#pruning(request, prompt),
      predictionIds: encodePrediction(request, this.#model.tokenizer, this.maxLength),
    };
    return new Generation(request, whole, this.#shared, { rank, order: this.#order++ }, listener, answer);
  }

  /** Of any prompt, whether it could be answered or not. */
  async tokenIds(
    prompt: Prompt,
    { addSpecialTokens, efficiency = {} }: TokenizeOptions,
  ): Promise<readonly number[]> {
    const limit = this.maxLength * TOKENIZE_CONTEXTS;
    if (prompt.kind === 'text') {
      const options = { addSpecialTokens, parseSpecialTokens: true };
      return this.#model.tokenizer.encode(prompt.text, options, limit);
    }
    const hasImages = visualParts(prompt).length > 0;
    const encoded = hasImages
      ? await this.#prompts.measure(prompt, limit, this.#look(efficiency))
      : this.#prompts.read(prompt, limit);
    return encoded.ids;
  }

  #check(request: GenerateRequest, ids: readonly number[]): void {
    checkRequest(request, ids, { vocabSize: this.#model.runner.vocabSize, maxLength: this.maxLength });
  }

  #look(efficiency: EfficiencyOptions): Look {
    const { tokenMerging, visualBudget } = this.#plan(efficiency);
    return { policy: visualPolicy(tokenMerging), budget: visualBudget };
  }

  #plan(efficiency: EfficiencyOptions): EfficiencyPlan {
    return efficiencyPlan(efficiency, ...this.#shared.efficiency);
  }

  #pruning(request: GenerateRequest, prompt: GenerationPrompt): PruningPlan | undefined {
    const { shape } = this.#model.runner;
    const { tokenPruning } = this.#plan(request.efficiency);
    const plan = planPruning(tokenPruning, shape.layers, prompt.ids.length, prompt.images ?? []);
    if (plan === undefined || transientBytes(plan, shape) <= this.#config.pruningBytes) return plan;
    // Who asked must know; who got it by default is better served without.
    if (request.efficiency.tokenPruning) throw tooLongToPrune(plan, shape, this.#config.pruningBytes);
    return undefined;
  }
}
