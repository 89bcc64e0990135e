/** What a worker calls to get its model: the checkpoint compiled, the session loaded, the tokenizer ready. */

import type { LoadedModel, LoadModel } from './loaded-model.js';
import { prepareModel } from './prepare-model.js';
import { ModelRunner } from './runner/model-runner.js';
import { loadTokenizer } from './tokenizer/huggingface-tokenizer.js';

export const loadModel: LoadModel = async ({ folder, weights, cacheDir, threads }): Promise<LoadedModel> => {
  const tokenizer = await loadTokenizer(folder);
  const { compiled, checkpoint } = prepareModel({ folder, weights, cacheDir });
  const runner = await ModelRunner.load(compiled, checkpoint, threads);
  const { config, precision, key } = compiled;
  const fromTokenizer = tokenizer.eosTokenId === undefined ? [] : [tokenizer.eosTokenId];
  return {
    runner,
    tokenizer,
    eosTokenIds: [...new Set([...config.eosTokenIds, ...fromTokenizer])],
    info: {
      architecture: config.family,
      weights: precision.weights,
      fingerprint: key,
      inputModalities: ['text'],
    },
  };
};
