import type { ServerDependencies, ServerHandler } from '../context.js';
import { requireModel } from '../generation.js';
import { modelBody } from '../openai/model-body.js';

/** `GET /v1/models` */
export function listModels({ backend }: ServerDependencies): ServerHandler {
  return (c) => c.json({ object: 'list', data: backend.models().map(modelBody) });
}

/** `GET /v1/models/{id}`; ids of the model hub hold slashes. */
export function getModel(deps: ServerDependencies): ServerHandler {
  return (c) => c.json(modelBody(requireModel(deps, c.req.param('id') ?? '')));
}
