/** Runs code of a checkpoint (its chat template) so that an endless loop costs a moment and not the thread. */

import { createContext, Script } from 'node:vm';

/** One context for all runs, since making one takes milliseconds; runs are synchronous and never overlap. */
const sandbox: { run: () => unknown } = { run: () => undefined };
const context = createContext(sandbox);
const script = new Script('run()');

/** Returns what `run` returns; throws its error, or `onTimeout()` when it takes longer than `milliseconds`. */
export function boundedRun<T>(run: () => T, milliseconds: number, onTimeout: () => Error): T {
  sandbox.run = run;
  try {
    // The interrupt reaches every function below, also those that were made outside of the context.
    return script.runInContext(context, { timeout: milliseconds }) as T;
  } catch (error) {
    if (isTimeout(error)) throw onTimeout();
    throw error;
  }
}

/** The error comes from the other context, so it is no instance of this one's Error. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
