/** Drafting on against drafting off: the same events, byte for byte, whatever the request asks for. */

import { describe, expect, it } from 'vitest';
import { automaticDrafts } from '../../src/core/efficiency.js';
import type { GenerateEvent, OutputFormat } from '../../src/core/messages.js';
import {
  EngineHarness,
  fakeModel,
  freeVerification,
  type HarnessOptions,
  ModelHarness,
  type Result,
} from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../helpers/generate-request.js';

const on = { efficiency: { draftVerification: automaticDrafts } };
const off = { efficiency: { draftVerification: false } } as const;

/** Events without what drafting may change: the receipt and the times. */
function visible({ events }: Result): GenerateEvent[] {
  return events.map((event) => {
    if (event.type !== 'end') return event;
    const { efficiency: _, ...usage } = event.usage;
    return { ...event, usage, timings: { queueMs: 0, prefillMs: 0, decodeMs: 0 } };
  });
}

/** Events of a batch come choice by choice per step; only their order within a choice is promised. */
function perChoice(events: readonly GenerateEvent[]): GenerateEvent[] {
  const choiceOf = (event: GenerateEvent) =>
    'choice' in event ? event.choice : event.type === 'end' ? 1e9 : -1;
  return [...events].sort((a, b) => choiceOf(a) - choiceOf(b));
}

const answerOf = async (request: RequestOverrides, options?: HarnessOptions): Promise<string> =>
  (await new EngineHarness(options).run({ ...request, ...off, n: 1 })).choices[0]!.text;

/** Guesses of every quality, from the oracle to nonsense. */
async function guesses(request: RequestOverrides, options?: HarnessOptions): Promise<(string | undefined)[]> {
  const answer = await answerOf(request, options);
  const half = answer.slice(0, answer.length / 2);
  const spoilt = [...answer].map((letter, i) => (i % 7 === 6 ? '#' : letter)).join('');
  return [
    undefined,
    answer,
    `${half}${half}`,
    spoilt,
    `${answer}${answer}`,
    'a'.repeat(400),
    '\u{1F600}'.repeat(50),
  ];
}

async function expectSame(request: RequestOverrides, options?: HarnessOptions): Promise<number> {
  const plain = await new EngineHarness(options).run({ ...request, ...off });
  expect(plain.usage.efficiency).toBeUndefined();
  let accepted = 0;
  for (const prediction of await guesses(request, options)) {
    const drafted = await new EngineHarness(options).run({ ...request, ...on, prediction });
    expect(perChoice(visible(drafted))).toEqual(perChoice(visible(plain)));
    accepted += drafted.usage.efficiency?.draftVerification?.acceptedTokens ?? 0;
  }
  return accepted;
}

const schemaFormat: OutputFormat = {
  kind: 'json-schema',
  field: 'schema',
  schema: {
    type: 'object',
    properties: {
      temperature_in_celsius: { type: 'integer' },
      direction_of_wind: { enum: ['northern', 'southern'] },
    },
    required: ['temperature_in_celsius', 'direction_of_wind'],
    additionalProperties: false,
  },
};
const repetitive = 'one two three four one two three four one two three four';
const long = { stop: { maxTokens: 120 } };

describe('with drafts as without', () => {
  it('gives the greedy tokens, and accepts most of a right guess', async () => {
    for (const prompt of [repetitive, 'hello', 'x']) {
      expect(await expectSame({ prompt, ...long })).toBeGreaterThan(100);
    }
  }, 120_000);

  it('draws the same tokens for 50 seeds at three temperatures and two nuclei', async () => {
    let accepted = 0;
    for (let seed = 0; seed < 50; seed++) {
      for (const temperature of [0.7, 1, 1.5]) {
        for (const topP of [1, 0.9]) {
          const request = {
            prompt: repetitive,
            stop: { maxTokens: 16 },
            sampling: { temperature, topP, seed },
          };
          const prediction = await answerOf(request);
          const plain = await new EngineHarness().run({ ...request, ...off });
          const drafted = await new EngineHarness().run({ ...request, ...on, prediction });
          expect(visible(drafted)).toEqual(visible(plain));
          accepted += drafted.usage.efficiency?.draftVerification?.acceptedTokens ?? 0;
        }
      }
    }
    expect(accepted).toBeGreaterThan(500);
  }, 120_000);

  it.each<[string, RequestOverrides, HarnessOptions?]>([
    ['log-probabilities', { topLogprobs: 20, ...long }],
    [
      'log-probabilities of four sampled choices',
      { topLogprobs: 2, n: 4, sampling: { temperature: 1, seed: 3 }, ...long },
    ],
    [
      'penalties',
      { sampling: { presencePenalty: 2, frequencyPenalty: -2, repetitionPenalty: 1.3 }, ...long },
    ],
    [
      'biased and banned tokens',
      {
        sampling: {
          logitBias: [
            [0x61, -100],
            [0x62, 3],
          ],
        },
        ...long,
      },
    ],
    ['min-p and top-k', { sampling: { temperature: 1, topK: 5, minP: 0.1, seed: 9 }, ...long }],
    ['ends of sequence inside a draft', { stop: { maxTokens: 400 } }, { eosEvery: 40 }],
    ['ignored ends of sequence', { stop: { maxTokens: 200, ignoreEos: true } }, { eosEvery: 30 }],
    ['a least number of tokens', { stop: { maxTokens: 200, minTokens: 60 } }, { eosEvery: 30 }],
    ['a context that fills up', { stop: { maxTokens: undefined } }, { contextLength: 150 }],
    ['one token', { stop: { maxTokens: 1 } }],
    ['two tokens', { stop: { maxTokens: 2 } }],
    ['a prompt of one token', { prompt: { kind: 'tokens', ids: [65] }, ...long }],
    ['a schema with forced runs', { outputFormat: schemaFormat, stop: { maxTokens: 300 } }],
    [
      'a schema, drawn, for three choices',
      { outputFormat: schemaFormat, n: 3, sampling: { temperature: 1, seed: 4 }, stop: { maxTokens: 300 } },
    ],
    [
      'a regular expression',
      { outputFormat: { kind: 'regex', pattern: '(ab|cd){20}end', field: 'regex' }, ...long },
    ],
    ['no prefix cache', { cachePrompt: false, ...long }],
  ])('handles %s', async (_, request, options) => {
    await expectSame({ prompt: repetitive, ...request }, options);
  });

  it.each(['aded-compat', 'prompt-lookup'] as const)(
    'gives the same tokens when %s drafts, greedy and drawn',
    async (method) => {
      const draftVerification = { ...automaticDrafts, method, maxTokens: 20 };
      for (const temperature of [0, 1]) {
        const harness = new EngineHarness();
        const request = { prompt: repetitive, sampling: { temperature, seed: 3 }, ...long };
        const plain = await new EngineHarness().run({ ...request, ...off });
        for (let time = 0; time < 2; time++) {
          const drafted = await harness.run({ ...request, efficiency: { draftVerification } });
          expect(visible(drafted)).toEqual(visible(plain));
          expect(drafted.usage.efficiency?.draftVerification?.draftedTokens).toBeGreaterThan(20);
        }
        const widths = harness.model.runner.forwards.filter(({ trees }) => trees).map(({ rows }) => rows);
        expect(Math.max(...widths)).toBeLessThanOrEqual(21);
      }
    },
  );

  it('stops at every place where a stop string or the length limit can fall', async () => {
    const answer = await answerOf({ prompt: repetitive, ...long });
    for (let at = 0; at < 60; at += 4) {
      const stop = { maxTokens: 100, strings: [answer.slice(at, at + 3)] };
      for (const include of [true, false]) {
        const request = { prompt: repetitive, stop: { ...stop, includeStopString: include } };
        const plain = await new EngineHarness().run({ ...request, ...off });
        const drafted = await new EngineHarness().run({ ...request, ...on, prediction: answer });
        expect(visible(drafted)).toEqual(visible(plain));
      }
      const short = { prompt: repetitive, stop: { maxTokens: at + 1 } };
      const drafted = await new EngineHarness().run({ ...short, ...on, prediction: answer });
      expect(visible(drafted)).toEqual(visible(await new EngineHarness().run({ ...short, ...off })));
      expect(drafted.usage.completionTokens).toBe(at + 1);
    }
  }, 120_000);

  it('shares a batch of drafting, plain, sampled and short lanes, also when lanes are swapped out', async () => {
    const requests = Array.from({ length: 12 }, (_, i): RequestOverrides => {
      const draftVerification =
        i % 3 === 0
          ? (false as const)
          : { ...automaticDrafts, maxTokens: i % 3 === 1 ? ('auto' as const) : 3 };
      return {
        prompt: repetitive.slice(i),
        stop: { maxTokens: 20 + 9 * i },
        sampling: { temperature: i % 2, seed: i },
        efficiency: { draftVerification },
        prediction: i % 4 === 0 ? undefined : repetitive,
      };
    });
    const alone: GenerateEvent[][] = [];
    for (const request of requests)
      alone.push(visible(await new EngineHarness().run({ ...request, ...off })));
    for (const options of [{}, { kvTokens: 320 }, { config: { maxLanes: 3 } }]) {
      const harness = new EngineHarness(options);
      const together = await Promise.all(requests.map((request) => harness.run(request)));
      expect(together.map(visible)).toEqual(alone);
      await harness.idle();
      expect(harness.model.runner.cache.lanes).toBe(0);
    }
  });

  it('puts only committed tokens into the prefix cache', async () => {
    const harness = new EngineHarness({ prefixTokens: 4096 });
    const request = { prompt: repetitive, ...long };
    const answer = await answerOf(request);
    const wrong = [...answer].map((letter, i) => (i % 5 === 4 ? '#' : letter)).join('');
    await harness.run({ ...request, ...on, prediction: wrong });
    const next = { prompt: repetitive + answer, ...long };
    const again = await harness.run({ ...next, ...on });
    expect(again.usage.cachedTokens).toBeGreaterThan(repetitive.length + 100);
    expect(again.choices).toEqual((await new EngineHarness().run({ ...next, ...off })).choices);
  });

  it('survives 1,000 requests that go away in the middle of drafting', async () => {
    const harness = new EngineHarness({ kvTokens: 2048 });
    for (let round = 0; round < 334; round++) {
      const keys = [1, 2, 3].map((i) => {
        const request = generateRequest({
          prompt: repetitive.slice(i),
          prediction: repetitive,
          stop: { maxTokens: 300 },
        });
        const { key, result } = harness.submit(request);
        result.catch(() => {});
        return key;
      });
      const seen = harness.batches.length;
      while (harness.batches.length < seen + 1 + (round % 4)) await new Promise(setImmediate);
      for (const key of keys) harness.engine.cancel(key);
      await harness.idle();
    }
    expect(harness.model.runner.cache.lanes).toBe(0);
    const request = { prompt: repetitive, ...long };
    expect((await harness.run(request)).choices).toEqual(
      (await new EngineHarness().run({ ...request, ...off })).choices,
    );
  });
});

describe('short steps', () => {
  const draftedIn = async (ms: number, request: RequestOverrides): Promise<number> => {
    const model = { ...fakeModel(), stepTimings: freeVerification.map((timing) => ({ ...timing, ms })) };
    const { usage } = await new ModelHarness(model, {}).run({ prompt: repetitive, ...long, ...request });
    return usage.efficiency!.draftVerification!.draftedTokens;
  };

  it('are plain unless somebody asks for drafts', async () => {
    expect(await draftedIn(10, {})).toBe(0);
    expect(await draftedIn(10, on)).toBeGreaterThan(0);
  });

  it('of a millisecond draft only for whoever brings a prediction, and only that', async () => {
    const prediction = await answerOf({ prompt: repetitive, ...long });
    expect(await draftedIn(1, on)).toBe(0);
    expect(await draftedIn(1, { prediction })).toBeGreaterThan(0);
    expect(await draftedIn(0.2, { prediction })).toBe(0);
  });

  it('of a millisecond draft what a grammar leaves no choice about for whoever asks', async () => {
    expect(await draftedIn(1, { outputFormat: schemaFormat, ...on })).toBeGreaterThan(0);
    expect(await draftedIn(1, { outputFormat: schemaFormat })).toBe(0);
  });

  it('draft as they are told where more is said than auto', async () => {
    const draftVerification = { ...automaticDrafts, maxTokens: 8 };
    expect(await draftedIn(1, { efficiency: { draftVerification } })).toBeGreaterThan(0);
  });
});

describe('the receipt', () => {
  it('counts what was drafted and accepted, of the guess too', async () => {
    const request = { prompt: repetitive, ...long };
    const answer = await answerOf(request);
    const { usage } = await new EngineHarness().run({ ...request, ...on, prediction: answer });
    const receipt = usage.efficiency!.draftVerification!;
    expect(receipt.acceptedTokens).toBeGreaterThan(100);
    expect(receipt.acceptedPrediction).toBeGreaterThan(100);
    expect(receipt.rejectedPrediction).toBe(0);
    // Every token but the first comes from a step: one that the model chose, and those accepted before it.
    expect(receipt.acceptedTokens + receipt.draftedSteps + receipt.plainSteps).toBe(
      usage.completionTokens - 1,
    );
    expect(receipt.acceptedByDepth.reduce((sum, count) => sum + count)).toBe(receipt.acceptedTokens);
    const spoilt = [...answer].map((letter, i) => (i % 9 === 8 ? '#' : letter)).join('');
    const wrong = await new EngineHarness().run({ ...request, ...on, prediction: spoilt });
    expect(wrong.usage.efficiency!.draftVerification!.rejectedPrediction).toBeGreaterThan(3);
  });

  it('shows that a grammar drafts what it leaves no choice about', async () => {
    const request = { prompt: 'x', outputFormat: schemaFormat, stop: { maxTokens: 300 } };
    const { usage } = await new EngineHarness().run({ ...request, ...on });
    expect(usage.efficiency!.draftVerification!.acceptedBySource.grammar).toBeGreaterThan(20);
  });

  it('respects the most tokens that a request allows in a step', async () => {
    const harness = new EngineHarness();
    const draftVerification = { ...automaticDrafts, maxTokens: 2 };
    await harness.run({
      prompt: repetitive,
      ...long,
      prediction: repetitive,
      efficiency: { draftVerification },
    });
    const widths = harness.model.runner.forwards.filter(({ trees }) => trees).map(({ rows }) => rows);
    expect(Math.max(...widths)).toBe(3);
  });
});
