import type { ModelInfo } from '../../core/backend.js';
import { TrimtabError } from '../../core/errors.js';
import type { ServerContext, ServerDependencies, ServerHandler } from '../context.js';
import { requireModel } from '../generation.js';
import { openLinks } from '../images/open-links.js';
import { parseDetokenizeRequest, parseTokenizeRequest } from '../openai/tokenize-request.js';
import { readJson } from '../read-json.js';

/** `POST /tokenize` */
export function tokenize(deps: ServerDependencies): ServerHandler {
  return async (c) => {
    const request = parseTokenizeRequest(await readJson(c.req.raw, deps.config));
    const model = chooseModel(deps, c, request.model);
    const prompt = await openLinks(request.prompt, model, deps.imageFetcher, c.req.raw.signal);
    const { addSpecialTokens, efficiency } = request;
    const result = await deps.backend.tokenize(model.id, prompt, { addSpecialTokens, efficiency });
    return c.json({
      count: result.ids.length,
      max_model_len: result.maxModelLength,
      tokens: result.ids,
      token_strs: request.tokenStrings ? result.pieces : null,
    });
  };
}

/** `POST /detokenize` */
export function detokenize(deps: ServerDependencies): ServerHandler {
  return async (c) => {
    const request = parseDetokenizeRequest(await readJson(c.req.raw, deps.config));
    const model = chooseModel(deps, c, request.model);
    return c.json({ prompt: await deps.backend.detokenize(model.id, request.tokens) });
  };
}

/** llama.cpp's clients name no model; theirs is the first. */
function chooseModel(deps: ServerDependencies, c: ServerContext, name: string | undefined): ModelInfo {
  const model = name === undefined ? deps.backend.models()[0] : requireModel(deps, name);
  if (model === undefined) throw new TrimtabError('model_not_found', 'No model is served here.');
  c.var.record.model = model.id;
  return model;
}
