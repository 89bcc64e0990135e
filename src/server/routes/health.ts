import { TrimtabError } from '../../core/errors.js';
import type { ServerDependencies, ServerHandler } from '../context.js';

/** `GET /health`: the process is alive. */
export function health(): ServerHandler {
  return (c) => c.json({ status: 'ok' });
}

/** `GET /ready`: every model can answer; else 503, so that no traffic is sent here. */
export function ready({ backend }: ServerDependencies): ServerHandler {
  return (c) => {
    if (backend.ready()) return c.json({ status: 'ready' });
    if (backend.models().every((model) => model.state === 'ready')) {
      throw new TrimtabError('shutting_down', 'The server is draining before it stops.');
    }
    const states = backend.models().map((model) => `${model.id} is ${model.state}`);
    throw new TrimtabError('model_unavailable', states.join(', ') || 'No model is loaded.');
  };
}
