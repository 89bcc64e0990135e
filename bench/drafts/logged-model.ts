/**
 * Loads a model whose decode steps are written to a file, named in the URL of this module (`?steps=<path>`); the lines
 * bear the id of the model.
 */

import type { LoadModel } from '../../src/engine/loaded-model.js';
import { loadModel as loadPlainModel } from '../../src/engine/model-loader.js';
import type { Runner } from '../../src/engine/runner/runner.js';
import { StepLog } from './step-log.js';

/** For `EngineHost`. */
export const loggedLoader = (path: string): string =>
  `${new URL(import.meta.url).href}?steps=${encodeURIComponent(path)}`;

export const loadModel: LoadModel = async (options) => {
  const model = await loadPlainModel(options);
  const path = new URL(import.meta.url).searchParams.get('steps');
  if (path !== null) logSteps(model.runner, new StepLog(path), options.id);
  return model;
};

function logSteps(runner: Runner, log: StepLog, model: string): void {
  log.begin({ model });
  log.watch(runner);
  const close = runner.close.bind(runner);
  runner.close = () => {
    log.flush();
    return close();
  };
}
