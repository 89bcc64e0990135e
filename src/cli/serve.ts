/** `trimtab serve`: the HTTP server, until a signal ends it. */

import { defineCommand } from 'citty';
import { loadConfig } from '../config.js';
import { startServer } from '../main.js';
import { defaultConfigFile, modelArguments } from './arguments.js';

export const serveCommand = defineCommand({
  meta: { name: 'serve', description: 'Serve models over the OpenAI API (http://127.0.0.1:8080 by default)' },
  args: {
    ...modelArguments,
    host: { type: 'string', description: 'Address to listen on', valueHint: '127.0.0.1' },
    port: { type: 'string', description: 'Port to listen on; 0 picks a free one', valueHint: '8080' },
    threads: { type: 'string', description: 'Cores for one step of the model', valueHint: 'all' },
    'log-level': {
      type: 'string',
      description: 'fatal, error, warn, info, debug or silent',
      valueHint: 'info',
    },
  },
  async run({ args }) {
    const config = loadConfig(args.config ?? defaultConfigFile, {
      model: args.model,
      weights: args.weights,
      cacheFolder: args['cache-folder'],
      host: args.host,
      port: args.port,
      threads: args.threads,
      logLevel: args['log-level'],
    });
    const server = await startServer(config);
    const names = config.models.map((model) => model.id).join(', ');
    process.stderr.write(`trimtab serves ${names} at ${server.url}/v1 (Ctrl-C stops)\n`);
    await stopSignal();
    await server.close();
  },
});

/** The first signal drains; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.removeListener(signal, stop);
        process.once(signal, () => process.exit(1));
      }
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  });
}
