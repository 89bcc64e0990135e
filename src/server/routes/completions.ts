import type { ServerDependencies, ServerHandler } from '../context.js';
import { generate, replyHead, requireModel } from '../generation.js';
import { newId } from '../new-id.js';
import { completionChunks } from '../openai/completion-chunk.js';
import { parseCompletionRequest } from '../openai/completion-request.js';
import { completionResponse } from '../openai/completion-response.js';
import { readJson } from '../read-json.js';
import { streamReply } from '../stream-reply.js';

/** `POST /v1/completions` */
export function completions(deps: ServerDependencies): ServerHandler {
  return async (c) => {
    const id = newId('cmpl');
    const request = parseCompletionRequest(await readJson(c.req.raw, deps.config), id);
    const { generate: prompts, stream, includeUsage, draftMetrics } = request;
    const { model: name, n, topLogprobs } = prompts[0]!;
    const model = requireModel(deps, name);
    c.var.record.model = model.id;
    c.var.record.stream = stream;
    const head = replyHead(deps, id, model, draftMetrics);
    const shape = { prompts: prompts.length, n, logprobs: topLogprobs !== undefined };
    const events = generate(deps, c, prompts, head);
    if (stream) return streamReply(deps, c, completionChunks(events, head, shape, includeUsage));
    return c.json(await completionResponse(events, head, shape));
  };
}
