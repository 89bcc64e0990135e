/** What a worker of the tests loads: the fake model, and special prompts that make it fail. */

import { TrimtabError } from '../../src/core/errors.js';
import type { LoadModel } from '../../src/engine/loaded-model.js';
import type { ForwardRequest } from '../../src/engine/runner/runner.js';
import { fakeModel } from './engine-harness.js';

/** A token that no text contains; a forward that sees it fails like a broken runtime. */
export const CRASH_TOKEN = 258;

export const loadModel: LoadModel = async ({ folder }) => {
  if (folder === 'damaged')
    throw new TrimtabError('invalid_checkpoint', 'damaged/config.json: not a JSON object');
  return fakeModel({
    onForward: ({ tokenIds }: ForwardRequest) => {
      if (tokenIds.includes(CRASH_TOKEN)) throw new Error('the runtime broke');
    },
  });
};
