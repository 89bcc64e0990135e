/** The composition root: configuration in, a listening server out. */

import type { Logger } from 'pino';
import type { Config, ModelConfig } from './config.js';
import { EngineHost } from './engine/host/engine-host.js';
import type { ModelOptions } from './engine/loaded-model.js';
import { makeReady } from './make-ready.js';
import { packageVersion } from './package-version.js';
import { createApp } from './server/app.js';
import { ImageFetcher } from './server/images/image-fetcher.js';
import type { Listener } from './server/listen.js';
import { listen } from './server/listen.js';
import { createLogger } from './server/logger.js';
import { Metrics } from './server/metrics/metrics.js';

export interface RunningServer {
  readonly url: string;
  readonly config: Config;
  /** Refuses new requests, lets running ones end within the grace, then stops. */
  close(): Promise<void>;
}

/** Fetches and compiles what is missing, starts the models, and listens when all of them can answer. */
export async function startServer(config: Config): Promise<RunningServer> {
  const logger = createLogger(config.server);
  const models: ModelOptions[] = [];
  for (const model of config.models) models.push(await prepare(model, config));
  const backend = new EngineHost({
    models,
    config: config.engine,
    onFailure: (model, err) => logger.error({ model, err }, 'the engine failed, another one is started'),
  });
  try {
    await backend.loaded();
    const deps = {
      backend,
      config: config.server,
      logger,
      metrics: new Metrics(backend),
      version: packageVersion(),
      imageFetcher: new ImageFetcher(config.server.remoteImages),
    };
    const listener = await listen(createApp(deps), config.server);
    logger.info({ url: listener.url, models: models.map((model) => model.id) }, 'listening');
    const stop = async () => {
      await close(backend, listener, logger, config);
      await deps.imageFetcher.close();
    };
    return { url: listener.url, config, close: stop };
  } catch (error) {
    await backend.close(0);
    throw error;
  }
}

/** What replies whose last event is out may still take to reach their client. */
const closeRepliesMs = 2000;

async function close(backend: EngineHost, listener: Listener, logger: Logger, config: Config): Promise<void> {
  const graceMs = 1000 * config.shutdownGraceSeconds;
  logger.info({ graceSeconds: config.shutdownGraceSeconds }, 'draining');
  // The backend first: while it drains, `/ready` still answers, with a 503.
  await backend.close(graceMs);
  await listener.close(closeRepliesMs);
  logger.info('stopped');
}

/** Compiles here, where progress can be shown; the worker then finds the files. */
async function prepare(model: ModelConfig, { cacheFolder, engine }: Config): Promise<ModelOptions> {
  const { checkpoint } = await makeReady(model, cacheFolder);
  checkpoint.close();
  const { id, weights, optimizeFor, threads, efficiency, draftCorpus } = model;
  const { folder } = checkpoint;
  const cacheDir = cacheFolder;
  const { images } = engine;
  return { id, folder, weights, optimizeFor, threads, cacheDir, efficiency, draftCorpus, images };
}
