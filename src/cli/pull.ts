/** `trimtab pull <org/name[@revision]>`: a model from the hub into the cache, ready to be served. */

import { defineCommand } from 'citty';
import { readHubOptions } from '../hub/hub-options.js';
import type { PullOptions, PullProgress } from '../hub/pull.js';
import { pull } from '../hub/pull.js';
import { ProgressBar } from './progress-bar.js';

/** What a shell reports for a program that Ctrl-C ended. */
const interruptedExitCode = 130;

export const pullCommand = defineCommand({
  meta: {
    name: 'pull',
    description: 'Download a model from a Hugging Face compatible hub (HF_ENDPOINT, HF_TOKEN, HF_HUB_CACHE)',
  },
  args: {
    model: {
      type: 'positional',
      description: 'Model on the hub, with an optional branch, tag or commit',
      valueHint: 'org/name[@revision]',
      required: true,
    },
  },
  async run({ args }) {
    const folder = await downloadWithProgress(args.model, pull);
    if (folder !== undefined) console.log(folder);
  },
});

/**
 * Runs `pull` or `resolveModel` with a progress bar on stderr. Resolves with the folder, or with undefined if the
 * user interrupted (what has arrived is kept).
 */
export async function downloadWithProgress(
  model: string,
  download: (model: string, options: PullOptions) => Promise<string>,
): Promise<string | undefined> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  const bar = new ProgressBar(process.stderr, model);
  const onProgress = (progress: PullProgress) => bar.update(progress);
  process.once('SIGINT', onInterrupt).once('SIGTERM', onInterrupt);
  try {
    return await download(model, { hub: readHubOptions(process.env), signal: interrupt.signal, onProgress });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = interruptedExitCode;
    return undefined;
  } finally {
    bar.end();
    if (interrupt.signal.aborted) console.error('interrupted; the same command goes on from here');
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
}
