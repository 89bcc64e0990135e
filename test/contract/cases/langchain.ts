import type { UsageMetadata } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI as TextOpenAI } from '@langchain/openai';
import { expect, it } from 'vitest';
import { eventually, type GetTarget, langchainOptions, metricValue } from '../target.js';

/** The package's own type of this field collapses under strict settings. */
function usageOf(message: object): UsageMetadata {
  return (message as { usage_metadata: UsageMetadata }).usage_metadata;
}

export function langchainCases(target: GetTarget): void {
  const options = () => ({ ...langchainOptions(target()), maxTokens: 16 });

  it('invokes a chat model and reads its usage', async () => {
    const message = await new ChatOpenAI(options()).invoke('Say something');
    expect(String(message.content).length).toBeGreaterThan(0);
    expect(usageOf(message).output_tokens).toBeGreaterThan(0);
    expect(usageOf(message).input_token_details!.cache_read).toBeGreaterThanOrEqual(0);
  });

  it('streams the same text', async () => {
    const chat = new ChatOpenAI(options());
    const whole = await chat.invoke('Say something');
    let text = '';
    let outputTokens = 0;
    const stream = await chat.stream('Say something');
    for await (const chunk of stream) {
      text += String(chunk.content);
      outputTokens += usageOf(chunk)?.output_tokens ?? 0;
    }
    expect(text).toBe(whole.content);
    expect(outputTokens).toBe(usageOf(whole).output_tokens);
  });

  it('gives log-probabilities', async () => {
    const chat = new ChatOpenAI({ ...options(), logprobs: true, topLogprobs: 2 });
    const message = await chat.invoke('Say something');
    const logprobs = message.response_metadata.logprobs as { content: unknown[] };
    expect(logprobs.content.length).toBeGreaterThan(0);
  });

  it('completes text', async () => {
    const text = await new TextOpenAI(options()).invoke('one two');
    expect(text.length).toBeGreaterThan(0);
  });

  it('throws errors with the status of the server', async () => {
    const chat = new ChatOpenAI({ ...options(), model: 'nobody' });
    await expect(chat.invoke('hi')).rejects.toMatchObject({ status: 404 });
  });

  it('stops the computation on abort', async () => {
    const controller = new AbortController();
    const chat = new ChatOpenAI({ ...options(), maxTokens: -1, modelKwargs: { ignore_eos: true } });
    const reading = (async () => {
      for await (const _ of await chat.stream('Say something', { signal: controller.signal }))
        controller.abort();
    })();
    await expect(reading).rejects.toThrow();
    await eventually(async () => (await metricValue(target(), 'vllm:num_requests_running')) === 0);
  });
}
