/** From a checkpoint folder to a compiled model: checked, typed, quantised, found again on the next start. */

import type { Checkpoint } from './checkpoint/checkpoint.js';
import { openCheckpoint } from './checkpoint/checkpoint.js';
import type { DecoderConfig } from './checkpoint/decoder-config.js';
import { readDecoderConfig } from './checkpoint/decoder-config.js';
import { decoderTensorNames } from './checkpoint/decoder-tensors.js';
import { readVisionConfig } from './checkpoint/vision-config.js';
import type { CompiledEyes } from './compiler/compiled-eyes.js';
import { compileEyes } from './compiler/compiled-eyes.js';
import type { CompiledModel, CompileProgress } from './compiler/compiled-model.js';
import { compileModel } from './compiler/compiled-model.js';
import type { Precision } from './graph/pipeline.js';

export type WeightChoice = Precision['weights'] | 'auto';

/** Under this many parameters a model is fast enough in full precision. */
const smallModelParameters = 50e6;

export interface PrepareOptions {
  readonly folder: string;
  readonly weights: WeightChoice;
  readonly cacheDir: string;
  readonly onProgress?: (progress: CompileProgress) => void;
}

export interface PreparedModel {
  readonly compiled: CompiledModel;
  /** Undefined for a model that reads text only. */
  readonly eyes: CompiledEyes | undefined;
  /** Open, for the embedding table; whoever takes it closes it. */
  readonly checkpoint: Checkpoint;
}

/** Throws `invalid_checkpoint` or `unsupported_model`, naming the file and what was expected. */
export function prepareModel({ folder, weights, cacheDir, onProgress }: PrepareOptions): PreparedModel {
  const checkpoint = openCheckpoint(folder);
  try {
    const config = readDecoderConfig(checkpoint);
    const precision = choosePrecision(checkpoint, config, weights);
    const vision = readVisionConfig(checkpoint, config);
    const options = {
      ...precision,
      cacheFolder: cacheDir,
      ...(onProgress === undefined ? {} : { onProgress }),
    };
    const compiled = compileModel(checkpoint, config, options);
    const eyes = vision === undefined ? undefined : compileEyes(checkpoint, vision, options);
    return { compiled, eyes, checkpoint };
  } catch (error) {
    checkpoint.close();
    throw error;
  }
}

function choosePrecision(checkpoint: Checkpoint, config: DecoderConfig, choice: WeightChoice): Precision {
  const weights = choice === 'auto' ? automaticWeights(checkpoint, config) : choice;
  return { weights, activations: weights === 'fp32' ? 'fp32' : 'int8' };
}

function automaticWeights(checkpoint: Checkpoint, config: DecoderConfig): Precision['weights'] {
  return parameterCount(checkpoint, config) < smallModelParameters ? 'fp32' : 'int4';
}

/** Numbers in the decoder, an untied head included. */
export function parameterCount(checkpoint: Checkpoint, config: DecoderConfig): number {
  const { embedding, head, finalNorm, layers } = decoderTensorNames(config);
  const projections = layers.flatMap(({ q, k, v, o, gate, up, down }) => [q, k, v, o, gate, up, down]);
  const vectors = layers.flatMap((layer) => [
    layer.inputNorm,
    layer.postAttentionNorm,
    layer.qNorm,
    layer.kNorm,
  ]);
  const names = [embedding, head, finalNorm, ...projections.flatMap((p) => [p.weight, p.bias]), ...vectors];
  const sizes = [...new Set(names)].flatMap((name) =>
    name === undefined ? [] : [checkpoint.tensor(name).shape],
  );
  return sizes.reduce((sum, shape) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
