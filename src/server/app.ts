/** The HTTP application: middleware, then routes, in the order in which a request meets them. */

import { Hono } from 'hono';
import { TrimtabError } from '../core/errors.js';
import type { ServerDependencies, ServerEnv, ServerHandler } from './context.js';
import { errorHandler } from './failure.js';
import { accessLog } from './middleware/access-log.js';
import { bearerAuth } from './middleware/bearer-auth.js';
import { crossOrigin } from './middleware/cross-origin.js';
import { rateLimit } from './middleware/rate-limit.js';
import { requestId } from './middleware/request-id.js';
import { chatCompletions } from './routes/chat-completions.js';
import { completions } from './routes/completions.js';
import { health, ready } from './routes/health.js';
import { metrics } from './routes/metrics.js';
import { getModel, listModels } from './routes/models.js';
import { detokenize, tokenize } from './routes/tokenize.js';
import { version } from './routes/version.js';

export function createApp(deps: ServerDependencies): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>();

  app.use(requestId());
  app.use(accessLog(deps));
  app.use(crossOrigin(deps.config));
  app.use(bearerAuth(deps.config));
  const limited = rateLimit(deps.config);

  app.use('/v1/chat/completions', limited);
  app.use('/v1/completions', limited);

  addRoute(app, 'POST', '/v1/chat/completions', chatCompletions(deps));
  addRoute(app, 'POST', '/v1/completions', completions(deps));
  addRoute(app, 'GET', '/v1/models', listModels(deps));
  addRoute(app, 'GET', '/v1/models/:id{.+}', getModel(deps));
  addRoute(app, 'POST', '/tokenize', tokenize(deps));
  addRoute(app, 'POST', '/detokenize', detokenize(deps));
  addRoute(app, 'GET', '/health', health());
  addRoute(app, 'GET', '/ready', ready(deps));
  addRoute(app, 'GET', '/version', version(deps));
  addRoute(app, 'GET', '/metrics', metrics(deps));

  app.notFound((c) => {
    throw new TrimtabError('not_found', `Nothing is served at ${c.req.path.slice(0, 200)}.`);
  });
  app.onError(errorHandler(deps));
  return app;
}

/** Other methods on the same path are answered by what is allowed there. */
function addRoute(app: Hono<ServerEnv>, method: 'GET' | 'POST', path: string, handler: ServerHandler): void {
  const allowed = method === 'GET' ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS';
  const route = path.replace(/:(\w+)\{.*\}/, '{$1}');
  app.on(method, path, async (c, next) => {
    c.var.record.route = route;
    return handler(c, next);
  });
  app.all(path, (c) => {
    c.var.record.route = route;
    c.header('allow', allowed);
    if (c.req.method === 'OPTIONS') return c.body(null, 204);
    throw new TrimtabError('method_not_allowed', `${c.req.method} is not allowed here, only ${allowed}.`);
  });
}
