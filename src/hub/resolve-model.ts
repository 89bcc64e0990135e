/** What `--model` may be: a folder, or a model on the hub that is fetched unless it is in the cache. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TrimtabError } from '../core/errors.js';
import { ModelCache } from './cache-layout.js';
import { isModelSpec, parseModelSpec } from './model-spec.js';
import type { PullOptions } from './pull.js';
import { pull } from './pull.js';

/** The checkpoint folder. A folder that exists wins over a model of the same name on the hub. */
export async function resolveModel(source: string, options: PullOptions): Promise<string> {
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory()) return resolve(source);
  if (!isModelSpec(source)) {
    const problem = `${source}: there is no such folder, and it is no <org>/<name>[@revision] of a model hub`;
    throw new TrimtabError('invalid_config', problem, { param: 'model' });
  }
  const cached = await new ModelCache(options.hub, parseModelSpec(source)).findComplete();
  return cached ?? pull(source, options);
}
