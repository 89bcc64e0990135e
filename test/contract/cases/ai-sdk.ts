import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import { expect, it } from 'vitest';
import { eventually, type GetTarget, metricValue } from '../target.js';

export function aiSdkCases(target: GetTarget): void {
  const model = () => {
    const provider = createOpenAICompatible({
      name: 'trimtab',
      baseURL: `${target().url}/v1`,
      includeUsage: true,
    });
    return provider(target().model);
  };
  const request = () => ({
    model: model(),
    prompt: 'Say something',
    temperature: 0,
    maxOutputTokens: 16,
    maxRetries: 0,
  });

  it('generates text with its usage', async () => {
    const result = await generateText(request());
    expect(result.text.length).toBeGreaterThan(0);
    expect(['stop', 'length']).toContain(result.finishReason);
    expect(result.usage.outputTokens).toBeGreaterThan(0);
    expect(result.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThanOrEqual(0);
  });

  it('streams the same text, with usage at its end', async () => {
    const whole = await generateText(request());
    const stream = streamText(request());
    let text = '';
    for await (const part of stream.textStream) text += part;
    expect(text).toBe(whole.text);
    expect((await stream.usage).outputTokens).toBe(whole.usage.outputTokens);
    expect(await stream.finishReason).toBe(whole.finishReason);
  });

  it('completes text', async () => {
    const provider = createOpenAICompatible({ name: 'trimtab', baseURL: `${target().url}/v1` });
    const completionModel = provider.completionModel(target().model);
    const result = await generateText({
      model: completionModel,
      prompt: 'one',
      maxOutputTokens: 4,
      temperature: 0,
    });
    expect(result.usage.outputTokens).toBeGreaterThan(0);
  });

  it('throws its own error with the status and message of the server', async () => {
    const failing = generateText({ ...request(), temperature: 9 });
    await expect(failing).rejects.toThrow(APICallError);
    await expect(failing).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('temperature'),
    });
  });

  it('stops the computation on abort', async () => {
    const controller = new AbortController();
    const { maxOutputTokens: _, ...endless } = request();
    const stream = streamText({
      ...endless,
      providerOptions: { trimtab: { ignore_eos: true } },
      abortSignal: controller.signal,
    });
    for await (const _ of stream.textStream) {
      controller.abort();
      break;
    }
    await eventually(async () => (await metricValue(target(), 'vllm:num_requests_running')) === 0);
  });
}
