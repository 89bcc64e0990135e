/** `trimtab compile`: what `serve` does before it listens, without serving. */

import { defineCommand } from 'citty';
import { loadConfig } from '../config.js';
import { makeReady } from '../make-ready.js';
import { defaultConfigFile, modelArguments } from './arguments.js';

export const compileCommand = defineCommand({
  meta: {
    name: 'compile',
    description: 'Compile a checkpoint into the cache, so that the next start is quick',
  },
  args: modelArguments,
  async run({ args }) {
    const config = loadConfig(args.config ?? defaultConfigFile, {
      model: args.model,
      weights: args.weights,
      cacheFolder: args['cache-folder'],
    });
    for (const model of config.models) {
      const { compiled, checkpoint } = await makeReady(model, config.cacheFolder);
      checkpoint.close();
      console.log(compiled.folder);
    }
  },
});
