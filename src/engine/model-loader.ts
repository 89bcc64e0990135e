/** What a worker calls to get its model: the checkpoint compiled, the sessions loaded, the tokenizer ready. */

import { cpus } from 'node:os';
import { join } from 'node:path';
import { detectAnswerFormat } from './answer/answer-format.js';
import type { CompiledEyes } from './compiler/compiled-eyes.js';
import type { CompiledModel } from './compiler/compiled-model.js';
import { imageConfigSchema } from './config.js';
import type { LoadedModel, LoadModel } from './loaded-model.js';
import { prepareModel } from './prepare-model.js';
import { ModelRunner } from './runner/model-runner.js';
import { runtimeVersion } from './runner/ort-session.js';
import { warmUp } from './runner/warm-up.js';
import { loadTokenizer } from './tokenizer/huggingface-tokenizer.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';
import type { VisualTokens } from './vision/vision.js';
import { Vision } from './vision/vision.js';

export const loadModel: LoadModel = async (options): Promise<LoadedModel> => {
  const { folder, weights, cacheDir, threads } = options;
  const tokenizer = await loadTokenizer(folder);
  const { compiled, eyes, checkpoint } = prepareModel({ folder, weights, cacheDir });
  const limits = options.images ?? imageConfigSchema.parse({});
  const vision =
    eyes && (await Vision.load(eyes, checkpoint, visualTokens(tokenizer, eyes), limits, threads));
  const kernels = options.optimizeFor !== 'throughput';
  const runner = await ModelRunner.load(compiled, checkpoint, threads, { kernels });
  const firstTimings = await warmUp(runner);
  const fromTokenizer = tokenizer.eosTokenId === undefined ? [] : [tokenizer.eosTokenId];
  const answerFormat = detectAnswerFormat(tokenizer);
  return {
    runner,
    efficiency: options.efficiency,
    draftCorpus: options.draftCorpus,
    draftFolder: join(cacheDir, 'drafts'),
    firstTimings,
    machine: JSON.stringify([compiled.key, threads, runner.rowsAreExact, runtimeVersion, cpus()[0]?.model]),
    tokenizer,
    ...(vision === undefined ? {} : { vision }),
    eosTokenIds: [...new Set([...compiled.config.eosTokenIds, ...fromTokenizer])],
    answerFormat,
    info: { ...modelInfo(compiled, eyes), toolFormat: answerFormat.tools?.name },
  };
};

function visualTokens(tokenizer: Tokenizer, { config }: CompiledEyes): VisualTokens {
  const { imageTokenId, videoTokenId } = config;
  const video = videoTokenId === undefined ? '' : tokenizer.tokenPiece(videoTokenId);
  return { image: tokenizer.tokenPiece(imageTokenId), video };
}

function modelInfo(
  { config, precision, key }: CompiledModel,
  eyes: CompiledEyes | undefined,
): LoadedModel['info'] {
  return {
    architecture: config.family,
    weights: precision.weights,
    fingerprint: eyes === undefined ? key : `${key}+${eyes.key}`,
    inputModalities: eyes === undefined ? ['text'] : ['text', 'image', 'video'],
  };
}
