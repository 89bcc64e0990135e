/** What a worker of the tests loads: the fake model, and special prompts that make it fail. */

import { setTimeout } from 'node:timers/promises';
import { TrimtabError } from '../../src/core/errors.js';
import { plainFormat } from '../../src/engine/answer/answer-format.js';
import { hermes } from '../../src/engine/answer/formats/hermes.js';
import type { LoadModel } from '../../src/engine/loaded-model.js';
import type { ForwardRequest } from '../../src/engine/runner/runner.js';
import { fakeModel } from './engine-harness.js';

/** A token that no text contains; a forward that sees it fails like a broken runtime. */
export const CRASH_TOKEN = 258;

/** Steps of a slow model take so long, whatever they compute, so that drafting pays as it does for real ones. */
const SLOW_STEP_MS = 3;

/**
 * `folder` is a list of traits: `damaged`, `tools`, `slow`; anything else means nothing. Drafts are kept in
 * `cacheDir`, if there is one.
 */
export const loadModel: LoadModel = async ({ folder, cacheDir }) => {
  const traits = folder.split(' ');
  if (traits.includes('damaged'))
    throw new TrimtabError('invalid_checkpoint', 'damaged/config.json: not a JSON object');
  const model = fakeModel({
    onForward: async ({ tokenIds }: ForwardRequest) => {
      if (tokenIds.includes(CRASH_TOKEN)) throw new Error('the runtime broke');
      if (traits.includes('slow')) await setTimeout(SLOW_STEP_MS);
    },
  });
  return {
    ...model,
    draftFolder: cacheDir === '' ? undefined : cacheDir,
    ...(traits.includes('tools') && { answerFormat: { ...plainFormat, tools: hermes, takesTools: true } }),
  };
};
