import type { ServerDependencies, ServerHandler } from '../context.js';

/** `GET /version` */
export function version(deps: ServerDependencies): ServerHandler {
  return (c) => c.json({ version: deps.version });
}
