import { describe, expect, it } from 'vitest';
import type { GenerateEvent, TokenLogprob } from '../../../../src/core/messages.js';
import { BYTE_BOS, BYTE_EOS } from '../../../helpers/byte-tokenizer.js';
import { EngineHarness } from '../../../helpers/engine-harness.js';
import type { generateRequest } from '../../../helpers/generate-request.js';

const deltas = (events: readonly GenerateEvent[]) => events.filter((event) => event.type === 'delta');
const chosen = (events: readonly GenerateEvent[]) =>
  deltas(events).flatMap((event) => event.logprobs ?? ([] as TokenLogprob[]));
const types = (events: readonly GenerateEvent[]) => events.map(({ type }) => type);

/** 40 greedy tokens of the default prompt, for tests that cut them somewhere. */
async function greedyText(): Promise<string> {
  return (await new EngineHarness().run({ stop: { maxTokens: 40 } })).choices[0]!.text;
}

describe('a request', () => {
  it('yields one start, deltas, a finish per choice and one end, in this order', async () => {
    const { events } = await new EngineHarness().run({ n: 2, stop: { maxTokens: 2 } });
    expect(events[0]).toEqual({ type: 'start', promptTokens: 6, cachedTokens: 0 });
    expect(types(events)).toEqual(['start', 'delta', 'delta', 'delta', 'finish', 'delta', 'finish', 'end']);
  });

  it('counts what it used and how long that took', async () => {
    const { usage, timings } = await new EngineHarness().run({ n: 2, stop: { maxTokens: 5 } });
    expect(usage).toMatchObject({ promptTokens: 6, cachedTokens: 0, completionTokens: 10 });
    for (const ms of Object.values(timings)) expect(ms).toBeGreaterThanOrEqual(0);
  });

  it('fills the context when max_tokens is absent', async () => {
    const harness = new EngineHarness({ contextLength: 60 });
    const { usage, choices } = await harness.run({ stop: { maxTokens: undefined } });
    expect(usage.promptTokens + usage.completionTokens).toBe(60);
    expect(choices[0]?.reason).toBe('length');
  });

  it('ends at end of sequence, which counts as a token and has no text', async () => {
    const harness = new EngineHarness({ eosEvery: 7 });
    const { choices, usage } = await harness.run({ prompt: 'eos', stop: { maxTokens: 400 } });
    expect(choices[0]).toMatchObject({ reason: 'stop', matchedStop: null });
    expect(choices[0]?.text).toHaveLength(usage.completionTokens - 1);
  });

  it('goes past end of sequence where that is asked for', async () => {
    const harness = new EngineHarness({ eosEvery: 7 });
    const { choices, usage } = await harness.run({
      prompt: 'eos',
      stop: { maxTokens: 100, ignoreEos: true },
    });
    expect(choices[0]?.reason).toBe('length');
    expect(usage.completionTokens).toBe(100);
    const { usage: held } = await harness.run({ prompt: 'eos', stop: { maxTokens: 100, minTokens: 60 } });
    expect(held.completionTokens).toBeGreaterThan(60);
  });

  it('names the stop token that ended it', async () => {
    const stopToken = (await greedyText()).charCodeAt(20);
    const { choices } = await new EngineHarness().run({ stop: { maxTokens: 40, tokenIds: [stopToken] } });
    expect(choices[0]).toMatchObject({ reason: 'stop', matchedStop: stopToken });
    expect((await greedyText()).startsWith(choices[0]!.text)).toBe(true);
  });

  it('never sends any part of a stop string, in whatever pieces it comes', async () => {
    const text = await greedyText();
    const stop = text.slice(17, 23);
    const { choices } = await new EngineHarness().run({
      stop: { maxTokens: 40, strings: ['??', stop] },
    });
    expect(choices[0]).toMatchObject({ text: text.slice(0, 17), reason: 'stop', matchedStop: stop });
    const kept = await new EngineHarness().run({
      stop: { maxTokens: 40, strings: [stop], includeStopString: true },
    });
    expect(kept.choices[0]?.text).toBe(text.slice(0, 23));
  });

  it('sends what it held back when the text ends inside a possible stop string', async () => {
    const text = await greedyText();
    const { choices } = await new EngineHarness().run({
      stop: { maxTokens: 20, strings: [`${text.slice(15, 20)}\u0000`] },
    });
    expect(choices[0]).toMatchObject({ text: text.slice(0, 20), reason: 'length' });
  });

  it('sends whole characters only', async () => {
    const bytes = [...new TextEncoder().encode('aé漢😀')];
    const { events, choices } = await forced(bytes);
    expect(deltas(events).map(({ text }) => text)).toEqual(['a', '', 'é', '', '', '漢', '', '', '', '😀']);
    expect(choices[0]?.text).toBe('aé漢😀');
    expect((await forced(bytes.slice(0, 8))).choices[0]?.text).toBe('aé漢\ufffd');
  });

  it('gives log-probabilities whose tokens join to the text, even where a stop string cuts it', async () => {
    const text = await greedyText();
    const { events, choices } = await new EngineHarness().run({
      topLogprobs: 2,
      stop: { maxTokens: 40, strings: [text.slice(9, 12)] },
    });
    const tokens = chosen(events);
    expect(tokens.map((token) => token.text).join('')).toBe(choices[0]?.text);
    for (const token of tokens) {
      expect(token.top).toHaveLength(2);
      expect(token.top[0]).toEqual({
        id: token.id,
        text: token.text,
        bytes: token.bytes,
        logprob: token.logprob,
      });
      expect(token.top[1]!.logprob).toBeLessThan(token.logprob!);
    }
  });

  it('gives a character that takes several tokens with the log-probabilities of all of them', async () => {
    const { events } = await forced([...new TextEncoder().encode('é!')], 0);
    expect(deltas(events).map(({ logprobs }) => logprobs?.length)).toEqual([0, 2, 1]);
    expect(chosen(events).map(({ bytes }) => bytes)).toEqual([[0xc3], [0xa9], [0x21]]);
  });

  it('gives the same tokens for the same seed and others for another', async () => {
    const harness = new EngineHarness();
    const sampled = (seed: number | undefined) => harness.run({ sampling: { temperature: 1, seed } });
    const [first, again, other] = await Promise.all([sampled(1), sampled(1), sampled(2)]);
    expect(again.choices).toEqual(first.choices);
    expect(other.choices).not.toEqual(first.choices);
    const [one, two] = await Promise.all([sampled(undefined), sampled(undefined)]);
    expect(one.choices).not.toEqual(two.choices);
  });
});

/** Makes the model say exactly these bytes. */
async function forced(bytes: readonly number[], topLogprobs?: number) {
  const harness = new EngineHarness();
  harness.model.runner.script = bytes;
  return harness.run({ topLogprobs, stop: { maxTokens: bytes.length } });
}

describe('echo', () => {
  const prompt = 'a prompt that is longer than one chunk';

  it('returns the prompt as text', async () => {
    const { events } = await new EngineHarness().run({ prompt, echo: true });
    expect(events[0]).toEqual({ type: 'start', promptTokens: 39, cachedTokens: 0, promptText: prompt });
  });

  it('scores every token of the prompt, the same in chunks and whole, alone and in company', async () => {
    const request = { prompt, echo: true, topLogprobs: 1, stop: { maxTokens: 0 } };
    const { events, choices, usage } = await new EngineHarness().run(request);
    expect(types(events)).toEqual(['start', 'finish', 'end']);
    expect(choices[0]?.reason).toBe('length');
    expect(usage).toMatchObject({ promptTokens: 39, cachedTokens: 0, completionTokens: 0 });
    const [start] = events;
    const scored = start?.type === 'start' ? start.promptLogprobs! : [];
    expect(scored.map(({ id }) => id)).toEqual([BYTE_BOS, ...new TextEncoder().encode(prompt)]);
    expect(scored[0]).toMatchObject({ logprob: null, top: [] });
    for (const { logprob } of scored.slice(1)) expect(logprob).toBeLessThan(0);

    const crowded = new EngineHarness({ config: { prefillChunk: 16 }, prefixTokens: 4096 });
    await crowded.run({ prompt });
    const neighbour = crowded.run({ prompt: 'neighbour', stop: { maxTokens: 50 } });
    const again = await crowded.run(request);
    await neighbour;
    expect(again.events[0]).toEqual(start);
  });

  it('gives a scored token the log-probability that generating it would have', async () => {
    const { choices, events } = await new EngineHarness().run({ topLogprobs: 0, stop: { maxTokens: 5 } });
    const continued = await new EngineHarness().run({
      prompt: `hello${choices[0]!.text}`,
      echo: true,
      topLogprobs: 0,
      stop: { maxTokens: 0 },
    });
    const [start] = continued.events;
    expect(start?.type === 'start' && start.promptLogprobs?.slice(-5)).toEqual(chosen(events));
  });
});

describe('refusals', () => {
  const refused = (overrides: Parameters<typeof generateRequest>[0], options = {}) =>
    new EngineHarness({ contextLength: 64, ...options }).run(overrides).then(
      () => undefined,
      (error: unknown) => error,
    );

  it.each([
    ['a prompt that fills the context', { prompt: { kind: 'tokens', ids: Array(64).fill(65) } }, 'prompt'],
    ['max_tokens beyond the context', { stop: { maxTokens: 60 } }, 'prompt'],
  ] as const)('names context_length_exceeded for %s', async (_, overrides, param) => {
    const error = await refused(overrides as never);
    expect(error).toMatchObject({ code: 'context_length_exceeded', param, details: { n_ctx: 64 } });
  });

  it.each([
    ['an empty prompt', { prompt: { kind: 'tokens', ids: [] } }, 'prompt'],
    ['a token id that does not exist', { prompt: { kind: 'tokens', ids: [1, 259] } }, 'prompt'],
    ['a stop token that does not exist', { stop: { tokenIds: [-1] } }, 'stop_token_ids'],
    ['a bias on a token that does not exist', { sampling: { logitBias: [[1e9, 1]] } }, 'logit_bias'],
    ['max_tokens 0 without echo', { stop: { maxTokens: 0 } }, 'max_tokens'],
    ['an empty stop string', { stop: { strings: [''] } }, 'stop'],
  ])('names the field for %s', async (_, overrides, param) => {
    expect(await refused(overrides as never)).toMatchObject({ code: 'invalid_request', param });
  });

  it('refuses what the memory for keys and values can never hold', async () => {
    const error = await refused({ stop: { maxTokens: 40 } }, { kvTokens: 32 });
    expect(error).toMatchObject({ code: 'context_length_exceeded', details: { n_ctx: 32 } });
  });

  it('does not start with memory for hardly a token', () => {
    expect(() => new EngineHarness({ kvTokens: 15 })).toThrow(
      expect.objectContaining({ code: 'invalid_config', param: 'kvCacheBytes' }),
    );
  });

  it('turns away what exceeds the queue, and says when to come back', async () => {
    const harness = new EngineHarness({ config: { maxLanes: 1, maxQueue: 2 } });
    const accepted = Array.from({ length: 3 }, () => harness.run());
    await expect(harness.run()).rejects.toMatchObject({
      code: 'queue_full',
      status: 429,
      retryAfterSeconds: 1,
    });
    await Promise.all(accepted);
    await harness.run();
  });

  it('ends a request whose logits are not numbers, and only that one', async () => {
    const harness = new EngineHarness();
    harness.model.runner.poisonedToken = 0x7f;
    const [good, bad] = await Promise.allSettled([
      harness.run({ stop: { maxTokens: 30 } }),
      harness.run({ prompt: '\u007f', n: 3 }),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: { code: 'engine_failure' } });
    expect(good).toMatchObject({
      status: 'fulfilled',
      value: { choices: [{ text: (await greedyText()).slice(0, 30) }] },
    });
    expect(harness.engine.stats()).toMatchObject({ running: 0, waiting: 0 });
  });

  it('ends everything when the runner itself breaks', async () => {
    const harness = new EngineHarness({
      onForward: () => {
        throw new Error('out of memory');
      },
    });
    await expect(harness.run()).rejects.toThrow('out of memory');
  });
});

describe('reports', () => {
  it('sends all that a step gave in one message', async () => {
    const harness = new EngineHarness();
    await Promise.all(Array.from({ length: 6 }, () => harness.run({ stop: { maxTokens: 10 } })));
    const batchSizes = harness.batches.map((outputs) => outputs.length);
    expect(Math.max(...batchSizes)).toBeGreaterThanOrEqual(6);
    expect(harness.batches.length).toBeLessThanOrEqual(harness.engine.counters.prefillChunks + 10);
  });

  it('answers tokenize and detokenize', async () => {
    const { engine } = new EngineHarness();
    expect(await engine.tokenize({ kind: 'text', text: 'hi' }, { addSpecialTokens: true })).toEqual({
      ids: [BYTE_BOS, 0x68, 0x69],
      pieces: ['<bos>', '<0x68>', '<0x69>'],
      maxModelLength: 512,
    });
    expect(engine.detokenize([0x68, BYTE_EOS])).toBe('h<eos>');
  });

  it('closes the runner after the step in progress', async () => {
    const harness = new EngineHarness();
    harness.run({ stop: { maxTokens: 400 } }).catch(() => {});
    await harness.engine.close();
    expect(harness.model.runner.closed).toBe(true);
    expect(harness.model.runner.forwards.length).toBeLessThan(5);
  });
});
