/** A server of the real application on a free port, in front of any backend. */

import { Writable } from 'node:stream';
import type { Backend } from '../../src/core/backend.js';
import { createApp } from '../../src/server/app.js';
import { serverConfigSchema } from '../../src/server/config.js';
import { type FetcherWorld, ImageFetcher } from '../../src/server/images/image-fetcher.js';
import { listen } from '../../src/server/listen.js';
import { createLogger } from '../../src/server/logger.js';
import { Metrics } from '../../src/server/metrics/metrics.js';

export interface TestServer {
  readonly url: string;
  readonly port: number;
  /** Every log line as written. */
  readonly logLines: string[];
  close(): Promise<void>;
}

export async function startTestServer(
  backend: Backend,
  settings: object = {},
  outside?: FetcherWorld,
): Promise<TestServer> {
  const config = serverConfigSchema.parse({ port: 0, logLevel: 'debug', ...settings });
  const logLines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logLines.push(chunk.toString());
      done();
    },
  });
  const metrics = new Metrics(backend);
  const logger = createLogger(config, destination);
  const imageFetcher = new ImageFetcher(config.remoteImages, outside);
  const app = createApp({ backend, config, logger, metrics, version: '0.0.0-test', imageFetcher });
  const listener = await listen(app, config);
  const close = async () => {
    await listener.close(0);
    await imageFetcher.close();
    metrics.close();
  };
  return { url: listener.url, port: listener.port, logLines, close };
}
