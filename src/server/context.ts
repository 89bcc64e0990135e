/** What handlers and middleware are given. */

import type { HttpBindings } from '@hono/node-server';
import type { Context, Handler, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { Backend } from '../core/backend.js';
import type { ServerConfig } from './config.js';
import type { ImageFetcher } from './images/image-fetcher.js';
import type { Metrics } from './metrics/metrics.js';
import type { RequestRecord } from './request-record.js';

export interface ServerDependencies {
  readonly backend: Backend;
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly version: string;
  readonly imageFetcher: ImageFetcher;
}

export interface ServerEnv {
  Variables: { record: RequestRecord };
  Bindings: Partial<HttpBindings>;
}

export type ServerContext = Context<ServerEnv>;
export type ServerHandler = Handler<ServerEnv>;
export type ServerMiddleware = MiddlewareHandler<ServerEnv>;
