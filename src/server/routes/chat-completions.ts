import type { ServerDependencies, ServerHandler } from '../context.js';
import { generate, replyHead, requireModel } from '../generation.js';
import { openLinks } from '../images/open-links.js';
import { newId } from '../new-id.js';
import { chatChunks } from '../openai/chat-chunk.js';
import { parseChatRequest } from '../openai/chat-request.js';
import { chatResponse } from '../openai/chat-response.js';
import { readJson } from '../read-json.js';
import { streamReply } from '../stream-reply.js';

/** `POST /v1/chat/completions` */
export function chatCompletions(deps: ServerDependencies): ServerHandler {
  return async (c) => {
    const id = newId('chatcmpl');
    const request = parseChatRequest(await readJson(c.req.raw, deps.config), id);
    const { generate: core, stream, includeUsage, draftMetrics, dialect } = request;
    const model = requireModel(deps, core.model);
    c.var.record.model = model.id;
    c.var.record.stream = stream;
    const head = replyHead(deps, id, model, draftMetrics);
    const prompt = await openLinks(core.prompt, model, deps.imageFetcher, c.req.raw.signal);
    const events = generate(deps, c, [{ ...core, prompt }], head);
    if (stream) return streamReply(deps, c, chatChunks(events, head, includeUsage, dialect));
    const shape = { n: core.n, logprobs: core.topLogprobs !== undefined, dialect };
    return c.json(await chatResponse(events, head, shape));
  };
}
