/** What a worker of the tests loads: the fake model, and special prompts that make it fail. */

import { setTimeout } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
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

/** Steps of a held model that run before the next waits until a request is cancelled. */
const HELD_AFTER = 20;

/** Resolves at the first message that cancels a request; the engine has heard of it by then. */
const cancelled = (): Promise<void> =>
  new Promise((resolve) =>
    parentPort?.on('message', ({ type }: { type: string }) => type === 'cancel' && resolve()),
  );

/**
 * `folder` is a list of traits: `damaged`, `tools`, `slow`, `held`; anything else means nothing. Drafts are kept in
 * `cacheDir`, if there is one.
 */
export const loadModel: LoadModel = async ({ folder, cacheDir }) => {
  const traits = folder.split(' ');
  if (traits.includes('damaged'))
    throw new TrimtabError('invalid_checkpoint', 'damaged/config.json: not a JSON object');
  const release = traits.includes('held') ? cancelled() : undefined;
  let steps = 0;
  const model = fakeModel({
    onForward: async ({ tokenIds }: ForwardRequest) => {
      if (tokenIds.includes(CRASH_TOKEN)) throw new Error('the runtime broke');
      if (++steps > HELD_AFTER) await release;
      if (traits.includes('slow')) await setTimeout(SLOW_STEP_MS);
    },
  });
  return {
    ...model,
    draftFolder: cacheDir === '' ? undefined : cacheDir,
    ...(traits.includes('tools') && { answerFormat: { ...plainFormat, tools: hermes, takesTools: true } }),
  };
};
