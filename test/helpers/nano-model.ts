/** The embedded model, which sees, and what a caller sees of its answers. */

import { fileURLToPath } from 'node:url';
import type { LoadedModel, ModelOptions } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import type { Result } from './engine-harness.js';
import { suiteFolder } from './suite-folder.js';

export const nanoFolder = fileURLToPath(new URL('../../models/nano', import.meta.url));
const compiledFolder = suiteFolder();

export function loadNano(
  weights: ModelOptions['weights'] = 'fp32',
  folder: string = nanoFolder,
): Promise<LoadedModel> {
  return loadModel({ id: 'nano', folder, weights, cacheDir: compiledFolder, threads: 1 });
}

/** All that a caller sees of an answer, log-probabilities included. */
export const said = ({ events }: Result) =>
  events.filter((event) => event.type === 'delta' || event.type === 'finish');

/** The tokens of each choice; the request must ask for log-probabilities. */
export function tokensOf({ events }: Pick<Result, 'events'>): number[][] {
  const choices: number[][] = [];
  for (const event of events) {
    if (event.type !== 'delta') continue;
    choices[event.choice] ??= [];
    choices[event.choice]!.push(...event.logprobs!.map(({ id }) => id));
  }
  return choices;
}
