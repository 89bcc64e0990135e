/** From a configured model to files on disk, with progress: fetched from the hub if need be, then compiled. */

import { ProgressBar } from './cli/progress-bar.js';
import type { ModelConfig } from './config.js';
import type { PreparedModel } from './engine/prepare-model.js';
import { prepareModel } from './engine/prepare-model.js';
import { readHubOptions } from './hub/hub-options.js';
import { resolveModel } from './hub/resolve-model.js';

/** The caller closes the checkpoint. */
export async function makeReady(model: ModelConfig, cacheDir: string): Promise<PreparedModel> {
  const folder = await fetchModel(model);
  return withProgress(`compiling ${model.id}`, async (update) =>
    prepareModel({
      folder,
      weights: model.weights,
      cacheDir,
      onProgress: ({ writtenBytes, totalBytes }) =>
        update({ doneBytes: writtenBytes, resumedBytes: 0, totalBytes }),
    }),
  );
}

/** The checkpoint folder. */
export function fetchModel({ id, source }: Pick<ModelConfig, 'id' | 'source'>): Promise<string> {
  const hub = readHubOptions(process.env);
  return withProgress(`fetching ${id}`, (onProgress) => resolveModel(source, { hub, onProgress }));
}

type Update = ProgressBar['update'];

/** Runs `work` with a bar on stderr that it moves. */
export async function withProgress<T>(label: string, work: (update: Update) => Promise<T>): Promise<T> {
  const bar = new ProgressBar(process.stderr, label);
  try {
    return await work((progress) => bar.update(progress));
  } finally {
    bar.end();
  }
}
