import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError, UnprocessableEntityError } from 'openai';
import { expect, it } from 'vitest';
import { eventually, type GetTarget, metricValue, user } from '../target.js';

export function openaiSdkCases(target: GetTarget): void {
  const client = () => new OpenAI({ baseURL: `${target().url}/v1`, apiKey: 'none', maxRetries: 0 });
  const request = () => ({
    model: target().model,
    messages: user('Say something') as [],
    temperature: 0,
    max_tokens: 16,
  });

  it('chats, and exposes the request id', async () => {
    const { data, response, request_id } = await client().chat.completions.create(request()).withResponse();
    expect(data.choices[0]!.message.role).toBe('assistant');
    expect(data.usage!.total_tokens).toBeGreaterThan(0);
    expect(request_id).toBe(response.headers.get('x-request-id'));
  });

  it('streams chunks that add up to the whole answer', async () => {
    const whole = await client().chat.completions.create(request());
    const stream = await client().chat.completions.create({ ...request(), stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(whole.choices[0]!.message.content);
  });

  it('accumulates a stream of two choices with usage and log-probabilities', async () => {
    const runner = client().chat.completions.stream({
      ...request(),
      n: 2,
      logprobs: true,
      top_logprobs: 2,
      stream_options: { include_usage: true },
    });
    const final = await runner.finalChatCompletion();
    expect(final.choices).toHaveLength(2);
    expect(final.usage!.completion_tokens).toBeGreaterThan(1);
    expect(final.choices[1]!.logprobs!.content!.length).toBeGreaterThan(0);
  });

  it('completes text, streamed or not', async () => {
    const body = { model: target().model, prompt: ['one', 'two'], n: 2, temperature: 0, max_tokens: 4 };
    const whole = await client().completions.create(body);
    expect(whole.choices).toHaveLength(4);
    const texts = ['', '', '', ''];
    for await (const chunk of await client().completions.create({ ...body, stream: true })) {
      for (const choice of chunk.choices) texts[choice.index] += choice.text;
    }
    expect(texts).toEqual(whole.choices.map((choice) => choice.text));
  });

  it('lists and retrieves models', async () => {
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toContain(target().model);
    expect((await client().models.retrieve(target().model)).id).toBe(target().model);
  });

  it('throws its own error classes', async () => {
    const create = (body: object) => client().chat.completions.create({ ...request(), ...body } as never);
    await expect(create({ model: 'nobody' })).rejects.toThrow(NotFoundError);
    await expect(create({ temperature: 9 })).rejects.toThrow(BadRequestError);
    await expect(create({ temperature: 9, stream: true })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_request',
      param: 'temperature',
      type: 'invalid_request_error',
    });
    await expect(create({ temperature: 9 })).rejects.not.toThrow(UnprocessableEntityError);
  });

  it('stops the computation when the reader of a stream leaves', async () => {
    const body = { ...request(), max_tokens: undefined, ignore_eos: true, stream: true } as never;
    const stream = (await client().chat.completions.create(body)) as unknown as AsyncIterable<unknown>;
    for await (const _ of stream) break;
    await eventually(async () => (await metricValue(target(), 'vllm:num_requests_running')) === 0);
  });

  it('reports an abort as its own', async () => {
    const controller = new AbortController();
    const body = { ...request(), max_tokens: undefined, ignore_eos: true } as never;
    const reply = client().chat.completions.create(body, { signal: controller.signal });
    setTimeout(() => controller.abort(), 30);
    await expect(reply).rejects.toThrow(APIUserAbortError);
    await eventually(async () => (await metricValue(target(), 'vllm:num_requests_running')) === 0);
  });
}
