/** Runs code of a checkpoint (its chat template) so that an endless loop costs a moment and not the thread. */

import { createContext, Script } from 'node:vm';

const script = new Script('run()');

/** Returns what `run` returns; throws its error, or `onTimeout()` when it takes longer than `milliseconds`. */
export function boundedRun<T>(run: () => T, milliseconds: number, onTimeout: () => Error): T {
  try {
    // The interrupt reaches every function below, also those that were made outside of the context.
    return script.runInContext(createContext({ run }), { timeout: milliseconds }) as T;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT')
      throw onTimeout();
    throw error;
  }
}
