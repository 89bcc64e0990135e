/** A listening server that the contract is checked against, and plain HTTP calls to it. */

import { readEventStream } from '../helpers/event-stream.js';
import { assertSchema, type SchemaName } from '../helpers/openai-schema.js';

export interface ContractTarget {
  /** Without a slash or `/v1` at the end. */
  readonly url: string;
  readonly model: string;
}

export type GetTarget = () => ContractTarget;
// biome-ignore lint/suspicious/noExplicitAny: replies are checked against the published schema instead
export type Reply = any;

export function post(target: ContractTarget, path: string, body: unknown, init: RequestInit = {}) {
  return fetch(target.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

async function okJson(response: Response): Promise<Reply> {
  const body = await response.text();
  if (response.status !== 200) throw new Error(`status ${response.status}: ${body}`);
  return JSON.parse(body);
}

async function postForSchema(target: ContractTarget, path: string, body: object, schema: SchemaName) {
  const reply = await okJson(await post(target, path, { model: target.model, ...body }));
  assertSchema(schema, reply);
  return reply;
}

/** What a model of the @langchain/openai package needs to know of the server; greedy. */
export function langchainOptions({ model, url }: ContractTarget) {
  return { model, apiKey: 'none', temperature: 0, maxRetries: 0, configuration: { baseURL: `${url}/v1` } };
}

export function user(content: string) {
  return [{ role: 'user', content }];
}

/** A whole chat completion, greedy unless the body says otherwise. */
export function chat(target: ContractTarget, body: object): Promise<Reply> {
  const request = { temperature: 0, max_tokens: 24, ...body };
  return postForSchema(target, '/v1/chat/completions', request, 'CreateChatCompletionResponse');
}

export function complete(target: ContractTarget, body: object): Promise<Reply> {
  return postForSchema(target, '/v1/completions', { temperature: 0, ...body }, 'CreateCompletionResponse');
}

/** All frames of a stream, each checked against the schema, after the checks of the stream as such. */
export async function streamChat(target: ContractTarget, body: object): Promise<Reply[]> {
  const request = { model: target.model, temperature: 0, max_tokens: 24, ...body, stream: true };
  const response = await post(target, '/v1/chat/completions', request);
  return streamFrames(response, 'CreateChatCompletionStreamResponse');
}

export async function streamCompletion(target: ContractTarget, body: object): Promise<Reply[]> {
  const request = { model: target.model, temperature: 0, ...body, stream: true };
  return streamFrames(await post(target, '/v1/completions', request), 'CompletionStreamResponse');
}

async function streamFrames(response: Response, schema: SchemaName): Promise<Reply[]> {
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  const { frames, isDone } = await readEventStream(response);
  if (!isDone) throw new Error('the stream did not end with [DONE]');
  for (const frame of frames) assertSchema(schema, frame);
  return frames;
}

export interface ErrorReply {
  readonly status: number;
  readonly headers: Headers;
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export async function errorOf(response: Response): Promise<ErrorReply> {
  const body: Reply = await response.json();
  assertSchema('ErrorResponse', body);
  return { status: response.status, headers: response.headers, error: body.error };
}

/** The value of one series of `/metrics`, summed over its labels. */
export async function metricValue(target: ContractTarget, name: string): Promise<number> {
  const text = await (await fetch(`${target.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Asks again until it holds; the test's own time limit is the end. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
