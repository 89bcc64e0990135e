import { expect, it } from 'vitest';
import { complete, type GetTarget, post, type Reply, streamCompletion } from '../target.js';

const prompt = 'The red circle is naïve 🙂';

async function tokenIds(target: GetTarget, text: string): Promise<number[]> {
  const response = await post(target(), '/tokenize', { model: target().model, prompt: text });
  return ((await response.json()) as { tokens: number[] }).tokens;
}

function textOf(frames: Reply[], index: number): string {
  const choices = frames.flatMap((frame) => frame.choices).filter((choice) => choice.index === index);
  return choices.map((choice) => choice.text).join('');
}

export function completionCases(target: GetTarget): void {
  it('continues a string, 16 tokens at most unless told otherwise', async () => {
    const reply = await complete(target(), { prompt, ignore_eos: true });
    expect(reply.id).toMatch(/^cmpl-/);
    expect(reply.choices).toHaveLength(1);
    expect(reply.usage.completion_tokens).toBe(16);
    expect(reply.choices[0]).toMatchObject({ index: 0, finish_reason: 'length', logprobs: null });
  });

  it('continues token ids as it continues their text', async () => {
    const text = await complete(target(), { prompt });
    const ids = await complete(target(), { prompt: await tokenIds(target, prompt) });
    expect(ids.choices[0].text).toBe(text.choices[0].text);
    expect(ids.usage.prompt_tokens).toBe(text.usage.prompt_tokens);
  });

  it('numbers the choices of several prompts in one row', async () => {
    const reply = await complete(target(), { prompt: ['one', 'two', 'three'], n: 2 });
    const alone = await complete(target(), { prompt: 'three' });
    expect(reply.choices.map((choice: Reply) => choice.index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(reply.choices[4].text).toBe(alone.choices[0].text);
    expect(reply.choices[5].text).toBe(alone.choices[0].text);
  });

  it('takes arrays of token ids', async () => {
    const [one, two] = [await tokenIds(target, 'one'), await tokenIds(target, 'two')];
    const reply = await complete(target(), { prompt: [one, two] });
    expect(reply.choices).toHaveLength(2);
    expect(reply.usage.prompt_tokens).toBe(one.length + two.length);
  });

  it('repeats the prompt before its continuation when asked to', async () => {
    const plain = await complete(target(), { prompt });
    const echoed = await complete(target(), { prompt, echo: true });
    expect(echoed.choices[0].text).toBe(prompt + plain.choices[0].text);
  });

  it('scores a prompt without generating anything', async () => {
    const reply = await complete(target(), { prompt, echo: true, max_tokens: 0, logprobs: 2 });
    const { tokens, token_logprobs, top_logprobs, text_offset } = reply.choices[0].logprobs;
    expect(reply.choices[0]).toMatchObject({ text: prompt, finish_reason: 'length' });
    expect(reply.usage.completion_tokens).toBe(0);
    expect(tokens).toHaveLength(reply.usage.prompt_tokens);
    expect(token_logprobs[0]).toBeNull();
    expect(top_logprobs[0]).toBeNull();
    expect(token_logprobs.slice(1).every((logprob: number) => logprob <= 0)).toBe(true);
    expect(text_offset).toEqual([...text_offset].sort((a, b) => a - b));
  });

  it('gives log-probabilities as parallel arrays', async () => {
    const reply = await complete(target(), { prompt, logprobs: 2, ignore_eos: true, max_tokens: 5 });
    const { logprobs } = reply.choices[0];
    for (const column of Object.values<Reply[]>(logprobs)) expect(column).toHaveLength(5);
    expect(logprobs.text_offset[0]).toBe(0);
    logprobs.tokens.forEach((token: string, i: number) => {
      expect(logprobs.top_logprobs[i][token]).toBe(logprobs.token_logprobs[i]);
    });
  });

  it('streams the same text and log-probabilities that it answers at once', async () => {
    const body = { prompt: ['one', 'two'], n: 2, echo: true, logprobs: 1, max_tokens: 6 };
    const whole = await complete(target(), body);
    const frames = await streamCompletion(target(), body);
    for (const choice of whole.choices) {
      const own = frames.flatMap((frame) => frame.choices).filter(({ index }) => index === choice.index);
      expect(textOf(frames, choice.index)).toBe(choice.text);
      expect(own.flatMap(({ logprobs }) => logprobs?.tokens ?? [])).toEqual(choice.logprobs.tokens);
      expect(own.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual(choice.logprobs.text_offset);
      expect(own.filter((piece) => piece.finish_reason !== null)).toHaveLength(1);
    }
  });

  it('ends a stream with the usage of all prompts when asked', async () => {
    const body = { prompt: ['one', 'two'], max_tokens: 3, ignore_eos: true };
    const frames = await streamCompletion(target(), { ...body, stream_options: { include_usage: true } });
    expect(frames.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 6 } });
    expect(frames.slice(0, -1).every((frame) => frame.usage === null)).toBe(true);
  });

  it('fills the context when the most tokens are null', async () => {
    const [model] = ((await (await fetch(`${target().url}/v1/models`)).json()) as Reply).data;
    const tokens = await tokenIds(target, 'a');
    const long = Array.from({ length: model.max_model_len - 20 }, () => tokens.at(-1)!);
    const reply = await complete(target(), { prompt: long, max_tokens: null, ignore_eos: true });
    expect(reply.usage.total_tokens).toBe(model.max_model_len);
  });
}
