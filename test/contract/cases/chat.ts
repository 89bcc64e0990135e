import { expect, it } from 'vitest';
import { chat, type GetTarget, post, type Reply, streamChat, user } from '../target.js';

const question = user('Tell me about the red circle, naïve friend 🙂.');

function textOf(frames: Reply[], index = 0): string {
  const deltas = frames.flatMap((frame) => frame.choices).filter((choice) => choice.index === index);
  return deltas.map((choice) => choice.delta.content ?? '').join('');
}

export function chatCases(target: GetTarget): void {
  it('answers with one message, its finish reason and the tokens used', async () => {
    const reply = await chat(target(), { messages: question });
    expect(reply.id).toMatch(/^chatcmpl-/);
    expect(reply.model).toBe(target().model);
    expect(reply.choices).toHaveLength(1);
    expect(reply.choices[0].message).toMatchObject({ role: 'assistant', refusal: null });
    expect(reply.choices[0].message.content.length).toBeGreaterThan(0);
    expect(reply.usage.total_tokens).toBe(reply.usage.prompt_tokens + reply.usage.completion_tokens);
    expect(reply.usage.prompt_tokens_details.cached_tokens).toBeLessThan(reply.usage.prompt_tokens);
    expect(reply.usage.completion_tokens_details.rejected_prediction_tokens).toBe(0);
    expect(reply.system_fingerprint).toMatch(/./);
  });

  it('stops at the most tokens asked for', async () => {
    const reply = await chat(target(), { messages: question, max_completion_tokens: 3, max_tokens: 9 });
    expect(reply.usage.completion_tokens).toBe(3);
    expect(reply.choices[0].finish_reason).toBe('length');
  });

  it('streams the same text that it answers at once', async () => {
    const whole = await chat(target(), { messages: question });
    const frames = await streamChat(target(), { messages: question });
    expect(textOf(frames)).toBe(whole.choices[0].message.content);
    expect(frames.at(-1).choices[0].finish_reason).toBe(whole.choices[0].finish_reason);
  });

  it('sends frames as uncached server-sent events', async () => {
    const body = { model: target().model, messages: question, max_tokens: 2, stream: true };
    const response = await post(target(), '/v1/chat/completions', body);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    expect(await response.text()).toMatch(/^(data: \{.*\}\n\n)+data: \[DONE\]\n\n$/);
  });

  it('gives every frame of a stream the same id, time and model', async () => {
    const frames = await streamChat(target(), { messages: question });
    const heads = frames.map(({ id, created, model, system_fingerprint }) =>
      JSON.stringify({ id, created, model, system_fingerprint }),
    );
    expect(new Set(heads).size).toBe(1);
  });

  it('sends the role first and once per choice, and one finish reason per choice at its end', async () => {
    const frames = await streamChat(target(), { messages: question, n: 2, temperature: 1, seed: 7 });
    for (const index of [0, 1]) {
      const choices = frames.flatMap((frame) => frame.choices).filter((choice) => choice.index === index);
      expect(choices[0].delta).toEqual({ role: 'assistant', content: '' });
      expect(choices.filter((choice) => 'role' in choice.delta)).toHaveLength(1);
      expect(choices.at(-1)).toMatchObject({
        delta: {},
        finish_reason: expect.stringMatching(/stop|length/),
      });
      expect(choices.filter((choice) => choice.finish_reason !== null)).toHaveLength(1);
    }
  });

  it('ends a stream with the usage when asked, after null in every other frame', async () => {
    const options = { messages: question, stream_options: { include_usage: true } };
    const frames = await streamChat(target(), options);
    const whole = await chat(target(), { messages: question });
    const last = frames.at(-1);
    expect(last.choices).toEqual([]);
    expect(last.usage.completion_tokens).toBe(whole.usage.completion_tokens);
    expect(last.usage.prompt_tokens).toBe(whole.usage.prompt_tokens);
    expect(frames.slice(0, -1).every((frame) => frame.usage === null)).toBe(true);
  });

  it('leaves the usage out of a stream when it is not asked for', async () => {
    const frames = await streamChat(target(), { messages: question });
    expect(frames.every((frame) => !('usage' in frame))).toBe(true);
  });

  it('ends the text before a stop string, streamed or not', async () => {
    const free = await chat(target(), { messages: question });
    const text: string = free.choices[0].message.content;
    const stop = text.slice(Math.floor(text.length / 2)).match(/^.{1,3}/su)![0];
    const whole = await chat(target(), { messages: question, stop });
    expect(whole.choices[0].message.content).toBe(text.slice(0, text.indexOf(stop)));
    expect(whole.choices[0].finish_reason).toBe('stop');
    const frames = await streamChat(target(), { messages: question, stop: ['\u0000never', stop] });
    expect(textOf(frames)).toBe(whole.choices[0].message.content);
  });

  it('keeps the stop string when asked to', async () => {
    const text: string = (await chat(target(), { messages: question })).choices[0].message.content;
    const stop = text.slice(3).match(/^.{1,2}/su)![0];
    const reply = await chat(target(), { messages: question, stop, include_stop_str_in_output: true });
    expect(reply.choices[0].message.content).toBe(text.slice(0, text.indexOf(stop) + stop.length));
  });

  it('gives the same answer for the same seed', async () => {
    const body = { messages: question, temperature: 1.5, seed: 1234 };
    const [a, b] = [await chat(target(), body), await chat(target(), body)];
    expect(a.choices[0].message.content).toBe(b.choices[0].message.content);
  });

  it('numbers n choices and counts the tokens of all of them', async () => {
    const reply = await chat(target(), { messages: question, n: 3, max_tokens: 2, ignore_eos: true });
    expect(reply.choices.map((choice: Reply) => choice.index)).toEqual([0, 1, 2]);
    expect(reply.usage.completion_tokens).toBe(6);
  });

  it('gives each token its log-probability, its bytes and its alternatives', async () => {
    const reply = await chat(target(), {
      messages: question,
      logprobs: true,
      top_logprobs: 3,
      ignore_eos: true,
    });
    const { content, refusal } = reply.choices[0].logprobs;
    expect(refusal).toBeNull();
    expect(content).toHaveLength(reply.usage.completion_tokens);
    for (const token of content) {
      expect(token.logprob).toBeLessThanOrEqual(0);
      expect(token.top_logprobs).toHaveLength(3);
      expect(token.top_logprobs[0].logprob).toBe(token.logprob);
    }
  });

  it('streams the log-probabilities that it answers at once', async () => {
    const body = { messages: question, logprobs: true, top_logprobs: 1 };
    const whole = await chat(target(), body);
    const frames = await streamChat(target(), body);
    const streamed = frames
      .flatMap((frame) => frame.choices)
      .flatMap((choice) => choice.logprobs?.content ?? []);
    const tokens = (list: Reply[]) => list.map((token) => token.token);
    expect(tokens(streamed)).toEqual(tokens(whole.choices[0].logprobs.content));
  });

  it('has null for log-probabilities that nobody asked for', async () => {
    const reply = await chat(target(), { messages: question });
    expect(reply.choices[0].logprobs).toBeNull();
  });

  it('reads text parts as the same prompt as their text in one string', async () => {
    const parts = [
      { type: 'text', text: 'Tell me ' },
      { type: 'text', text: 'more' },
    ];
    const whole = await chat(target(), { messages: [{ role: 'user', content: parts }] });
    const plain = await chat(target(), { messages: user('Tell me more') });
    expect(whole.usage.prompt_tokens).toBe(plain.usage.prompt_tokens);
    expect(whole.choices[0].message.content).toBe(plain.choices[0].message.content);
  });

  it('takes null for any optional field', async () => {
    const nulls = { stop: null, seed: null, logit_bias: null, tools: null, user: null, stream_options: null };
    await chat(target(), { messages: question, ...nulls, top_p: null, n: null, response_format: null });
  });

  it('takes fields that cannot change the shape of the answer', async () => {
    await chat(target(), {
      messages: question,
      user: 'someone',
      metadata: { a: 'b' },
      store: false,
      service_tier: 'auto',
      prompt_cache_key: 'key',
      reasoning_effort: 'low',
      verbosity: 'low',
      prediction: { type: 'content', content: 'The red circle' },
      response_format: { type: 'text' },
      tools: [{ type: 'function', function: { name: 'f', parameters: {} } }],
      tool_choice: 'none',
      efficiency: { profile: 'exact' },
      something_of_next_year: [1, 2, 3],
    });
  });

  it('takes what vLLM and llama.cpp clients send', async () => {
    await chat(target(), {
      messages: question,
      top_k: 5,
      min_p: 0.05,
      repetition_penalty: 1.1,
      stop_token_ids: [3],
      min_tokens: 1,
      skip_special_tokens: true,
      chat_template_kwargs: { enable_thinking: false },
      add_generation_prompt: true,
      priority: 1,
      cache_prompt: false,
      cache_salt: 'salt',
    });
  });

  it('answers 32 requests at the same time, each with its own text', async () => {
    const bodies = Array.from({ length: 32 }, (_, i) => ({
      messages: user(`question number ${i}`),
      max_tokens: 8,
    }));
    const alone = [await chat(target(), bodies[0]!), await chat(target(), bodies[31]!)];
    const streamed = await Promise.all(bodies.map((body) => streamChat(target(), body)));
    expect(textOf(streamed[0]!)).toBe(alone[0].choices[0].message.content);
    expect(textOf(streamed[31]!)).toBe(alone[1].choices[0].message.content);
    expect(new Set(streamed.map((frames) => frames[0].id)).size).toBe(32);
  });
}
