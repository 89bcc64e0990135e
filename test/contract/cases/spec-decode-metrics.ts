import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { assertConsistent, assertTokensPerStep } from '../../helpers/spec-decode.js';
import {
  chat,
  complete,
  errorOf,
  type GetTarget,
  post,
  type Reply,
  streamChat,
  streamCompletion,
  user,
} from '../target.js';

const question = user('Say after me: one two three, one two three, one two three.');
const summary = { metrics: { speculative_decoding: 'summary' } };
const detailed = { metrics: { speculative_decoding: 'detailed' } };
const withUsage = { stream_options: { include_usage: true } };

/** What every server must hold to; nothing of it says that there are drafts. */
export function specDecodeMetricsCases(target: GetTarget): void {
  /** Null only where the model never drafts. */
  function check(reply: Reply, choices: number, level: 'summary' | 'detailed' = 'summary'): void {
    expect(Object.keys(reply.metrics)).toEqual(['speculative_decoding']);
    const drafts = reply.metrics.speculative_decoding;
    if (drafts === null) return;
    assertConsistent(drafts, level);
    assertTokensPerStep(drafts, reply.usage.completion_tokens, choices);
  }

  it('come with a chat that asks for them, whole and in the chunk with the usage only', async () => {
    check(await chat(target(), { messages: question, ...summary }), 1);
    check(await chat(target(), { messages: question, n: 3, temperature: 1, ...detailed }), 3, 'detailed');
    const frames = await streamChat(target(), { messages: question, ...summary, ...withUsage });
    check(frames.at(-1), 1);
    for (const frame of frames.slice(0, -1)) expect(frame).not.toHaveProperty('metrics');
  });

  it('come with a completion, over all prompts and choices', async () => {
    const body = { prompt: ['one two one two one two', 'three four three four'], n: 2, max_tokens: 8 };
    check(await complete(target(), { ...body, ...summary }), 4);
    const frames = await streamCompletion(target(), { ...body, ...detailed, ...withUsage });
    check(frames.at(-1), 4, 'detailed');
    for (const frame of frames.slice(0, -1)) expect(frame).not.toHaveProperty('metrics');
  });

  it('are left out unless a request asks for them, and from streams without usage', async () => {
    for (const extra of [
      {},
      { metrics: null },
      { metrics: {} },
      { metrics: { speculative_decoding: 'none' } },
    ]) {
      expect(await chat(target(), { messages: question, ...extra })).not.toHaveProperty('metrics');
      expect(await complete(target(), { prompt: 'one', ...extra })).not.toHaveProperty('metrics');
    }
    for (const frame of await streamChat(target(), { messages: question, ...summary })) {
      expect(frame).not.toHaveProperty('metrics');
    }
  });

  it('reach users of the openai package, streamed or not', async () => {
    const client = new OpenAI({ baseURL: `${target().url}/v1`, apiKey: 'none', maxRetries: 0 });
    const body = { model: target().model, messages: question as [], max_tokens: 12, ...summary };
    check(await client.chat.completions.create(body), 1);
    const stream = await client.chat.completions.create({ ...body, ...withUsage, stream: true } as never);
    const chunks: Reply[] = [];
    for await (const chunk of stream as never as AsyncIterable<Reply>) chunks.push(chunk);
    check(chunks.at(-1), 1);
    const completion = { model: target().model, prompt: 'one', max_tokens: 4, ...summary };
    check(await client.completions.create(completion), 1);
  });

  it.each<[unknown, string]>([
    [true, 'metrics'],
    ['summary', 'metrics'],
    [['speculative_decoding'], 'metrics'],
    [{ speculative_decoding: true }, 'metrics.speculative_decoding'],
    [{ speculative_decoding: 'full' }, 'metrics.speculative_decoding'],
    [{ speculative_decoding: {} }, 'metrics.speculative_decoding'],
  ])('are refused by name when asked for as %j', async (metrics, field) => {
    const bodies = { '/v1/chat/completions': { messages: question }, '/v1/completions': { prompt: 'one' } };
    for (const [path, body] of Object.entries(bodies)) {
      const { status, error } = await errorOf(
        await post(target(), path, { model: target().model, ...body, metrics }),
      );
      expect([status, error.code, error.param]).toEqual([400, 'invalid_request', field]);
    }
  });

  it('are refused by name when there is no such thing', async () => {
    const body = { model: target().model, messages: question, metrics: { timing: 'summary' } };
    const { status, error } = await errorOf(await post(target(), '/v1/chat/completions', body));
    expect([status, error.code]).toEqual([400, 'invalid_request']);
    expect(error.message).toContain('metrics: unknown key "timing"');
  });
}
