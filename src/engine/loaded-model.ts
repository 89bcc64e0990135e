/** What the runtime needs of a model, whoever built it, and how a worker asks for one. */

import type { ModelInfo } from '../core/backend.js';
import type { EfficiencyOptions, NumericsClass } from '../core/efficiency.js';
import type { StepTiming } from '../decoding/speculative/cost-model.js';
import type { AnswerFormat } from './answer/answer-format.js';
import type { Runner } from './runner/runner.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import type { Vision } from './vision/vision.js';
import type { VisionLimits } from './vision/visual-planner.js';

export interface LoadedModel {
  readonly runner: Runner;
  readonly tokenizer: Tokenizer;
  /** Absent for a model that reads text only. */
  readonly vision?: Vision;
  /** All tokens that end an answer, from `generation_config.json` and the tokenizer. */
  readonly eosTokenIds: readonly number[];
  /** What this model gives requests that say nothing. */
  readonly efficiency?: EfficiencyOptions | undefined;
  /** What steps cost, if that is known for good. */
  readonly stepTimings?: readonly StepTiming[];
  /** What they cost when the model was loaded. */
  readonly firstTimings?: readonly StepTiming[] | undefined;
  /** Everything that the time of a step depends on: model, runtime, threads, processor. */
  readonly machine?: string;
  /** Where what drafting learnt is kept. */
  readonly draftFolder?: string | undefined;
  /** The file of what drafting knows from the start. */
  readonly draftCorpus?: string | undefined;
  /** What answers are made of besides text; plain text if absent. */
  readonly answerFormat?: AnswerFormat;
  readonly info: Pick<
    ModelInfo,
    'architecture' | 'weights' | 'fingerprint' | 'inputModalities' | 'toolFormat'
  >;
}

/** Graphs of quantised models round activations to 8 bits, whose last bits then depend on the other rows of a step. */
export function numericsClass({ info, runner }: LoadedModel): NumericsClass {
  return info.weights === 'fp32' || runner.rowsAreExact ? 'A' : 'B';
}

export async function closeModel({ vision, runner }: LoadedModel): Promise<void> {
  await vision?.close();
  await runner.close();
}

/** Plain data: it crosses into the worker. */
export interface ModelOptions {
  /** The name under which callers ask for the model. */
  readonly id: string;
  /** Checkpoint folder. */
  readonly folder: string;
  readonly weights: 'int4' | 'int8' | 'fp32' | 'auto';
  /** See the configuration; latency if absent. */
  readonly optimizeFor?: 'latency' | 'throughput';
  /** Where compiled graphs are kept. */
  readonly cacheDir: string;
  /** Threads of the runtime. */
  readonly threads: number;
  /** What requests to this model get that do not ask themselves. */
  readonly efficiency?: EfficiencyOptions;
  /** The file of what drafting knows from the start. */
  readonly draftCorpus?: string | undefined;
  /** Limits of images; the defaults of the configuration if absent. */
  readonly images?: VisionLimits;
}

/** Throws `TrimtabError` (`invalid_checkpoint`, `unsupported_model`) for what a restart cannot mend. */
export type LoadModel = (options: ModelOptions) => Promise<LoadedModel>;
