/** Draft verification from the socket on: the bytes of streams, bad input, tenants, and damaged store files. */

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EngineConfig, engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import { type ContractTarget, errorOf, post, type Reply, user } from '../contract/target.js';
import { assertConsistent, assertTokensPerStep } from '../helpers/spec-decode.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { startTestServer } from '../helpers/test-server.js';

const loader = new URL('../helpers/fake-model-loader.ts', import.meta.url).href;

interface ServeOptions {
  /** Where each model keeps its drafts, by its name; empty: in memory only. */
  readonly models?: Readonly<Record<string, string>>;
  readonly server?: object;
  readonly config?: Partial<EngineConfig>;
}

interface Served extends ContractTarget {
  close(): Promise<void>;
}

async function serve({
  models = { fake: '' },
  server: settings,
  config = {},
}: ServeOptions = {}): Promise<Served> {
  const host = new EngineHost({
    models: Object.entries(models).map(([id, cacheDir]) => {
      return { id, folder: 'slow tools', weights: 'fp32', cacheDir, threads: 1 } as const;
    }),
    config: engineConfigSchema.parse(config),
    loader,
  });
  await host.loaded();
  const server = await startTestServer(host, settings);
  const close = async () => {
    await server.close();
    await host.close(0);
  };
  return { url: server.url, model: Object.keys(models)[0]!, close };
}

const repetitive = 'one two three four one two three four one two three four';
const question = { messages: user(repetitive), temperature: 0, max_tokens: 100 };
const on = { efficiency: { draft_verification: { max_tokens: 'auto' } } };
const off = { efficiency: { draft_verification: 'off' } };

async function ask(target: ContractTarget, body: object, init: RequestInit = {}): Promise<Reply> {
  const response = await post(
    target,
    '/v1/chat/completions',
    { model: target.model, ...question, ...body },
    init,
  );
  const text = await response.text();
  if (response.status !== 200) throw new Error(`status ${response.status}: ${text}`);
  return JSON.parse(text);
}

const textOf = (reply: Reply): string => reply.choices[0].message.content;
const accepted = (reply: Reply): number => reply.usage.efficiency?.draft_verification.accepted_tokens ?? 0;

let target: Served;
beforeAll(async () => {
  target = await serve();
});
afterAll(() => target.close());

describe('the bytes of a stream', () => {
  /** Without names, times and usage; the frames of a choice in order, choice after choice. */
  async function bytes(path: string, body: object): Promise<string> {
    const response = await post(target, path, { model: 'fake', stream: true, ...body });
    const text = await response.text();
    expect(response.status, text).toBe(200);
    const frames = text
      .replace(/"id":"[^"]*"/g, '"id":""')
      .replace(/"created":\d+/g, '"created":0')
      .replace(/"usage":\{.*\}\}\n/g, '"usage":{}}\n')
      .split('\n\n');
    const choiceOf = (frame: string) => Number(/"choices":\[\{"index":(\d+)/.exec(frame)?.[1] ?? 1e9);
    return frames.sort((a, b) => choiceOf(a) - choiceOf(b)).join('\n\n');
  }

  const chat = { messages: user(repetitive), temperature: 0, max_tokens: 60 };
  const drawn = { temperature: 1, seed: 7 };
  const schema = {
    type: 'object',
    properties: { degrees_in_celsius: { type: 'integer' }, wind: { enum: ['northern', 'southern'] } },
    required: ['degrees_in_celsius', 'wind'],
    additionalProperties: false,
  };
  const parameters = {
    type: 'object',
    properties: { city: { enum: ['Paris', 'Rome'] } },
    required: ['city'],
    additionalProperties: false,
  };
  const weather = { type: 'function', function: { name: 'get_weather', parameters } };

  it.each<[string, object]>([
    ['greedy text', {}],
    ['usage', { stream_options: { include_usage: true } }],
    ['drawn text', drawn],
    ['four choices with 20 log-probabilities', { ...drawn, n: 4, logprobs: true, top_logprobs: 20 }],
    ['penalties', { presence_penalty: 2, frequency_penalty: -2, repetition_penalty: 1.2 }],
    ['biased tokens', { logit_bias: { 97: -100, 98: 4 } }],
    ['stop strings', { stop: ['q', '~~', 'ab'] }],
    ['kept stop strings', { stop: ['q', '~~', 'ab'], include_stop_str_in_output: true }],
    [
      'a schema',
      { max_tokens: 400, response_format: { type: 'json_schema', json_schema: { name: 's', schema } } },
    ],
    ['tool calls', { max_tokens: 400, tools: [weather], tool_choice: 'required' }],
    ['one token', { max_tokens: 1 }],
    ['a whole context', { max_tokens: undefined }],
  ])('of a chat is the same with drafts as without: %s', async (_, extra) => {
    const body = { ...chat, ...extra };
    const plain = await bytes('/v1/chat/completions', { ...body, ...off });
    const reply = await ask(target, { ...body, n: 1, stream_options: undefined, ...off });
    const answer = textOf(reply) ?? '';
    for (const content of [answer, answer.replaceAll(/(.{6})./g, '$1#'), repetitive]) {
      const drafted = await bytes('/v1/chat/completions', {
        ...body,
        ...on,
        prediction: { type: 'content', content },
      });
      expect(drafted).toBe(plain);
    }
  });

  it('of a completion is the same with drafts as without, and drafts are accepted', async () => {
    const body = { prompt: repetitive, temperature: 0, max_tokens: 100, logprobs: 5, echo: true };
    const plain = await bytes('/v1/completions', { ...body, ...off });
    for (let time = 0; time < 3; time++)
      expect(await bytes('/v1/completions', { ...body, ...on })).toBe(plain);
    const warm = await post(target, '/v1/completions', { model: 'fake', ...body, ...on });
    expect(accepted(await warm.json())).toBeGreaterThan(50);
  });
});

describe('a prediction', () => {
  const predicted = (content: unknown, more: object = {}) =>
    ask(target, { prediction: { type: 'content', content }, ...more });
  let plain: string;
  beforeAll(async () => {
    plain = textOf(await ask(target, off));
  });

  it('of 1 MB changes nothing', async () => {
    for (const content of ['x'.repeat(1e6), plain + plain.repeat(1e4), '\u{1F600}'.repeat(250_000)]) {
      const reply = await predicted(content);
      expect(textOf(reply)).toBe(plain);
      expect(reply.usage.completion_tokens).toBeLessThan(1000);
    }
  });

  it('beyond the limit of a string is refused', async () => {
    const body = {
      model: 'fake',
      ...question,
      prediction: { type: 'content', content: 'x'.repeat(29 * 2 ** 20) },
    };
    expect((await post(target, '/v1/chat/completions', body)).status).toBe(400);
  });

  it.each([
    ['another language', 'Eins zwei drei vier; 一二三四; один два три; ואחד שניים'],
    ['control characters', '\u0000\u0007\uFFFF\u202E'],
    ['half a surrogate pair', 'a\uD800b'],
    ['special tokens', '<bos><eos><turn><|im_end|>'],
    ['nothing', ''],
    ['spaces', ' '.repeat(1000)],
  ])('of %s changes nothing', async (_, content) => {
    expect(textOf(await predicted(content))).toBe(plain);
  });

  it('in parts is their text together', async () => {
    const parts = [plain.slice(0, 40), plain.slice(40)].map((text) => ({ type: 'text', text }));
    const reply = await predicted(parts);
    expect(textOf(reply)).toBe(plain);
    expect(reply.usage.completion_tokens_details.accepted_prediction_tokens).toBeGreaterThan(80);
  });

  it.each<[string, unknown, string]>([
    [
      'a part that is no text',
      { type: 'content', content: [{ type: 'image_url', image_url: { url: 'x' } }] },
      'prediction.content',
    ],
    [
      'an audio part',
      { type: 'content', content: [{ type: 'input_audio', input_audio: {} }] },
      'prediction.content',
    ],
    [
      '2,000 parts',
      { type: 'content', content: Array(2000).fill({ type: 'text', text: 'a' }) },
      'prediction.content',
    ],
    ['a number', { type: 'content', content: 5 }, 'prediction.content'],
    ['no content', { type: 'content' }, 'prediction.content'],
    ['an unknown type', { type: 'guess', content: 'a' }, 'prediction.type'],
    ['bare text', 'just text', 'prediction'],
    ['a list', [], 'prediction'],
  ])('of %s is refused by name', async (_, prediction, field) => {
    const response = await post(target, '/v1/chat/completions', { model: 'fake', ...question, prediction });
    const { status, error } = await errorOf(response);
    expect([status, error.code]).toEqual([400, 'invalid_request']);
    expect(error.param).toContain(field);
  });

  it('shows in the metrics of the reply as a source of its own', async () => {
    const { usage, metrics } = await predicted(plain, { metrics: { speculative_decoding: 'detailed' } });
    const drafts = metrics.speculative_decoding;
    const { accepted_prediction_tokens: taken, rejected_prediction_tokens: refused } =
      usage.completion_tokens_details;
    assertConsistent(drafts, 'detailed');
    assertTokensPerStep(drafts, usage.completion_tokens - refused);
    expect(taken).toBeGreaterThan(80);
    // Each place of the prediction counts once there, and each time it was drafted here.
    expect(drafts.by_source.prediction.accepted).toBeGreaterThanOrEqual(taken);
    expect(drafts.by_source.prediction.drafted).toBeGreaterThanOrEqual(taken + refused);
  });

  it('goes together with tools', async () => {
    const tools = [
      { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
    ];
    const body = { tools, tool_choice: 'required', max_tokens: 300 };
    const without = await ask(target, { ...body, ...off });
    const content = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>';
    const { choices, usage } = await predicted(content, body);
    const withoutIds = (reply: Reply) => JSON.stringify(reply.choices).replace(/"id":"[^"]*"/g, '');
    expect(withoutIds({ choices })).toBe(withoutIds(without));
    expect(usage.completion_tokens_details.accepted_prediction_tokens).toBeGreaterThan(5);
  });

  it.each([{ modalities: ['text', 'audio'] }, { audio: { voice: 'alloy', format: 'wav' } }])(
    'does not make audio possible: %j',
    async (fields) => {
      const prediction = { type: 'content', content: 'a' };
      const body = { model: 'fake', ...question, prediction, ...fields };
      const { status, error } = await errorOf(await post(target, '/v1/chat/completions', body));
      expect([status, error.code]).toEqual([400, 'unsupported_parameter']);
      expect(error.param).toBe(Object.keys(fields)[0]);
    },
  );

  it('goes together with what hosted models refuse: choices, log-probabilities, penalties', async () => {
    const body = { n: 3, logprobs: true, top_logprobs: 2, presence_penalty: 1, seed: 1, temperature: 1 };
    const without = await ask(target, { ...body, ...off });
    expect((await predicted(plain, body)).choices).toEqual(without.choices);
  });

  it('that was rejected counts as completion tokens, unless the server says otherwise', async () => {
    const wrong = plain.replaceAll(/(.{8})./g, '$1#');
    const counted = (await predicted(wrong)).usage;
    const { rejected_prediction_tokens: rejected } = counted.completion_tokens_details;
    expect(rejected).toBeGreaterThan(3);
    expect(counted.completion_tokens).toBe(100 + rejected);
    expect(counted.total_tokens).toBe(counted.prompt_tokens + counted.completion_tokens);
    const other = await serve({ server: { countRejectedPrediction: false } });
    const { usage } = await ask(other, { prediction: { type: 'content', content: wrong } });
    await other.close();
    expect(usage.completion_tokens_details.rejected_prediction_tokens).toBeGreaterThan(3);
    expect(usage.completion_tokens).toBe(100);
  });
});

describe('what a request may ask of drafts', () => {
  const asked = (draft_verification: unknown) =>
    post(target, '/v1/chat/completions', { model: 'fake', ...question, efficiency: { draft_verification } });

  it('is nothing at all with 0 tokens, off or false', async () => {
    for (const value of [{ max_tokens: 0 }, 'off', false]) {
      const reply: Reply = await (await asked(value)).json();
      expect(reply.usage.efficiency).toBeUndefined();
    }
  });

  it.each<[unknown, string]>([
    [{ max_tokens: -1 }, 'max_tokens'],
    [{ max_tokens: 1e9 }, 'max_tokens'],
    [{ max_tokens: 65 }, 'max_tokens'],
    [{ max_tokens: 1.5 }, 'max_tokens'],
    [{ max_tokens: 'many' }, 'max_tokens'],
    [{ max_tokens: null }, 'max_tokens'],
    [{ sources: [] }, 'sources'],
    [{ sources: ['the internet'] }, 'sources'],
    [{ sources: Array(8).fill('context') }, 'sources'],
    [{ strict: 'yes' }, 'strict'],
    [{ tokens: 5 }, 'draft_verification'],
    ['on', 'draft_verification'],
    [true, 'draft_verification'],
    [7, 'draft_verification'],
  ])('is refused by name when it is %j', async (value, field) => {
    const { status, error } = await errorOf(await asked(value));
    expect([status, error.code]).toEqual([400, 'invalid_request']);
    expect(`${error.param} ${error.message}`).toContain(field);
  });
});

describe('metrics', () => {
  it('tell what drafts did and in what state drafting is', async () => {
    await ask(target, on);
    const text = await (await fetch(`${target.url}/metrics`)).text();
    const value = (series: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(series))
          ?.split(' ')
          .at(-1),
      );
    expect(value('vllm:spec_decode_num_drafts_total{model_name="fake"}')).toBeGreaterThan(0);
    expect(value('trimtab_draft_nodes_per_step_count{model="fake"}')).toBeGreaterThan(0);
    expect(value('trimtab_draft_rejected_by_grammar_total{model="fake"}')).toBeGreaterThan(0);
    expect(value('trimtab_draft_cost_ratio{model="fake",rows="16"}')).toBeGreaterThan(0.5);
    expect(value('trimtab_draft_store_bytes{model="fake",layer="trigrams"}')).toBeGreaterThan(10_000);
    expect(value('trimtab_draft_store_bytes{model="fake",layer="history"}')).toBeGreaterThan(1000);
    expect(value('trimtab_draft_store_evictions_total{model="fake"}')).toBe(0);
    expect(value('trimtab_draft_suspended_sequences{model="fake"}')).toBe(0);
    expect(value('trimtab_draft_predicted_over_realised_tokens{model="fake"}')).toBeGreaterThan(0.3);
    expect(value('trimtab_draft_numerics_class{model="fake",class="A"}')).toBe(1);
  });
});

describe('tenants', () => {
  const as = (key: string): RequestInit => ({
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
  });

  it('never draft from what another key or another salt was answered', async () => {
    const closed = await serve({ server: { apiKeys: ['alice', 'bob', 'carol'] } });
    const body = { ...on, max_tokens: 200 };
    const cold = accepted(await ask(closed, body, as('carol')));
    for (let time = 0; time < 4; time++) await ask(closed, body, as('alice'));
    const warm = accepted(await ask(closed, body, as('alice')));
    const bob = accepted(await ask(closed, body, as('bob')));
    const salted = accepted(await ask(closed, { ...body, cache_salt: 'x' }, as('alice')));
    await closed.close();
    expect(warm).toBeGreaterThan(150);
    for (const stranger of [cold, bob, salted]) expect(stranger).toBeLessThan(warm / 4);
  });
});

describe('a store file', () => {
  const folder = suiteFolder();
  const inFolder = (name: string) => join(folder, name);
  const fileOf = (name: string) => join(inFolder(name), readdirSync(inFolder(name))[0]!);
  let cold: number;
  /** After a session in which the question was asked twice. */
  let written: Buffer;

  beforeAll(async () => {
    const served = await serve({ models: { first: inFolder('first') } });
    cold = accepted(await ask(served, on));
    await ask(served, on);
    await served.close();
    written = readFileSync(fileOf('first'));
  });

  const states: Readonly<Record<string, (file: Buffer) => Buffer>> = {
    whole: (file) => file,
    random: (file) => Buffer.from(file.map((_, i) => (i * 7919) % 251)),
    'of another version': (file) => Buffer.concat([Buffer.from('TTDRAFT0'), file.subarray(8)]),
    'cut short': (file) => file.subarray(0, file.length >> 1),
    empty: () => Buffer.alloc(0),
    grown: (file) => Buffer.concat([file, Buffer.alloc(5 * 2 ** 20)]),
  };

  it('is used when it is whole; one that is damaged is like none, and is replaced', async () => {
    const name = basename(fileOf('first'));
    for (const [state, change] of Object.entries(states)) {
      mkdirSync(inFolder(state));
      writeFileSync(join(inFolder(state), name), change(written));
    }
    const served = await serve({
      models: Object.fromEntries(Object.keys(states).map((id) => [id, inFolder(id)])),
    });
    const plain = textOf(await ask(served, off));
    const known: Record<string, number> = {};
    for (const model of Object.keys(states)) {
      const reply = await ask(served, { model, ...on });
      expect(textOf(reply)).toBe(plain);
      known[model] = accepted(reply);
    }
    await served.close();
    const { whole, ...damaged } = known;
    expect(whole).toBeGreaterThan(cold + 50);
    for (const [state, count] of Object.entries(damaged)) {
      expect(count).toBeLessThan(cold + 20);
      const replaced = readFileSync(fileOf(state));
      expect(replaced.subarray(0, 8)).toEqual(written.subarray(0, 8));
      expect(replaced.length).toBeGreaterThan(written.length / 2);
      expect(replaced.length).toBeLessThan(2 * written.length);
    }
  });

  it('never grows without end, nor do many of them', async () => {
    const drafts = { maxRows: 64, storeBytes: 2 ** 20, historyTokens: 256, persist: true };
    const served = await serve({ models: { many: inFolder('many') }, config: { drafts } });
    for (let i = 0; i < 60; i++) await ask(served, { ...on, cache_salt: `tenant ${i}`, max_tokens: 5 });
    await served.close();
    const sizes = readdirSync(inFolder('many')).map((name) => statSync(join(inFolder('many'), name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(4 * 2 ** 20);
  });
});
