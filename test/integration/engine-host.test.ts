import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TrimtabError } from '../../src/core/errors.js';
import type { GenerateEvent, GenerateRequest } from '../../src/core/messages.js';
import { type EngineConfig, engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import { collect, EngineHarness } from '../helpers/engine-harness.js';
import { CRASH_TOKEN } from '../helpers/fake-model-loader.js';
import { generateRequest } from '../helpers/generate-request.js';

const loader = new URL('../helpers/fake-model-loader.ts', import.meta.url).href;
/** Starting a worker from sources takes a while on a busy machine. */
const PATIENCE = { timeout: 25_000, interval: 20 };
const opened: EngineHost[] = [];

function newHost(config: Partial<EngineConfig> = {}, folders: Record<string, string> = { fake: 'fine' }) {
  return new EngineHost({
    models: Object.entries(folders).map(([id, folder]) => ({
      id,
      folder,
      weights: 'fp32',
      cacheDir: '',
      threads: 1,
    })),
    config: engineConfigSchema.parse(config),
    loader,
  });
}

/** A host that is closed after the test. */
function openHost(...options: Parameters<typeof newHost>): EngineHost {
  const host = newHost(...options);
  opened.push(host);
  return host;
}

async function readyHost(config: Partial<EngineConfig> = {}): Promise<EngineHost> {
  const host = openHost(config);
  await host.loaded();
  return host;
}

async function run(host: EngineHost, request: GenerateRequest, signal = new AbortController().signal) {
  const events: GenerateEvent[] = [];
  for await (const event of host.generate(request, signal)) events.push(event);
  return collect(events, request.n);
}

const crash = generateRequest({ prompt: { kind: 'tokens', ids: [CRASH_TOKEN] } });

afterEach(async () => {
  await Promise.all(opened.splice(0).map((host) => host.close(0)));
});

describe('EngineHost, while all is well', () => {
  let host: EngineHost;
  beforeAll(async () => {
    host = newHost();
    await host.loaded();
  });
  afterAll(() => host.close(0));

  it('gives through a worker what the engine gives', async () => {
    const request = generateRequest({
      prompt: 'through the worker',
      n: 2,
      sampling: { temperature: 1, seed: 5 },
    });
    const { choices, usage } = await run(host, request);
    const expected = await new EngineHarness().submit(request).result;
    expect(choices).toEqual(expected.choices);
    expect(usage.completionTokens).toBe(expected.usage.completionTokens);
  });

  it('answers tokenize and detokenize', async () => {
    const { ids, pieces } = await host.tokenize(
      'fake',
      { kind: 'text', text: 'aé' },
      { addSpecialTokens: false },
    );
    expect(ids).toEqual([0x61, 0xc3, 0xa9]);
    expect(pieces).toEqual(['<0x61>', '<0xC3>', '<0xA9>']);
    expect(await host.detokenize('fake', ids)).toBe('aé');
  });

  it('refuses unknown models and hopeless prompts before the first event', async () => {
    await expect(run(host, generateRequest({ model: 'other' }))).rejects.toMatchObject({
      code: 'model_not_found',
    });
    const tooLong = generateRequest({ prompt: { kind: 'tokens', ids: Array<number>(600).fill(65) } });
    await expect(run(host, tooLong)).rejects.toMatchObject({
      code: 'context_length_exceeded',
      param: 'prompt',
      details: { n_prompt_tokens: 600, n_ctx: 512 },
    });
  });
});

/** The model is held: no answer ends before it is cancelled. */
describe('EngineHost, when nobody listens any more', () => {
  it('ends without an error and frees the lane when the signal aborts', async () => {
    const host = openHost({}, { fake: 'held' });
    await host.loaded();
    const abort = new AbortController();
    const events: GenerateEvent[] = [];
    for await (const event of host.generate(generateRequest({ stop: { maxTokens: 400 } }), abort.signal)) {
      events.push(event);
      if (events.length === 5) abort.abort();
    }
    expect(events.length).toBeLessThan(100);
    await expect
      .poll(() => host.stats()[0], PATIENCE)
      .toMatchObject({ running: 0, waiting: 0, cancelledTotal: 1 });
  });

  it('cancels when the consumer stops to iterate', async () => {
    const host = openHost({}, { fake: 'held' });
    await host.loaded();
    for await (const _ of host.generate(
      generateRequest({ stop: { maxTokens: 400 } }),
      new AbortController().signal,
    ))
      break;
    await expect.poll(() => host.stats()[0], PATIENCE).toMatchObject({ running: 0, cancelledTotal: 1 });
  });
});

describe('EngineHost, from start to end', () => {
  it('says what it serves once it is ready', async () => {
    const host = openHost();
    expect(host.models()[0]).toMatchObject({ id: 'fake', state: 'loading' });
    expect(host.ready()).toBe(false);
    await expect(run(host, generateRequest())).rejects.toMatchObject({ code: 'model_unavailable' });
    await host.loaded();
    expect(host.ready()).toBe(true);
    expect(host.models()[0]).toMatchObject({
      state: 'ready',
      fingerprint: 'fake-1',
      maxModelLength: 512,
      toolFormat: 'fake',
    });
  });

  it('loads a checkpoint folder with the loader of the product', async () => {
    const folder = fileURLToPath(new URL('../../models/nano', import.meta.url));
    const cacheDir = mkdtempSync(join(tmpdir(), 'trimtab-'));
    const host = new EngineHost({
      models: [{ id: 'nano', folder, weights: 'fp32', cacheDir, threads: 1 }],
      config: engineConfigSchema.parse({}),
    });
    opened.push(host);
    await host.loaded();
    const prompt = { kind: 'chat', addGenerationPrompt: true, continueFinalMessage: false } as const;
    const messages = [{ role: 'user', content: 'Hello' }] as const;
    const { choices } = await run(host, generateRequest({ model: 'nano', prompt: { ...prompt, messages } }));
    expect(choices[0]?.text).toMatch(/\w/);
  }, 120_000);

  it('fails running requests when the worker breaks, and serves again with another', async () => {
    const host = await readyHost();
    const victim = run(host, generateRequest({ stop: { maxTokens: 480 } }));
    await expect(run(host, crash)).rejects.toMatchObject({ code: 'engine_failure', status: 500 });
    await expect(victim).rejects.toThrow('the runtime broke');
    expect(host.models()[0]?.state).toBe('restarting');
    await expect(run(host, generateRequest())).rejects.toMatchObject({
      code: 'model_unavailable',
      status: 503,
    });
    await expect.poll(() => host.ready(), PATIENCE).toBe(true);
    expect((await run(host, generateRequest())).choices[0]?.text).toHaveLength(16);
    expect(host.stats()[0]?.restartsTotal).toBe(1);
  });

  it('reports a checkpoint that cannot be loaded and keeps serving the others', async () => {
    const host = openHost({}, { fake: 'fine', broken: 'damaged' });
    await expect(host.loaded()).rejects.toMatchObject({ code: 'invalid_checkpoint' });
    await expect.poll(() => host.models().map(({ state }) => state), PATIENCE).toEqual(['ready', 'failed']);
    expect((await run(host, generateRequest())).usage.completionTokens).toBe(16);
    await expect(run(host, generateRequest({ model: 'broken' }))).rejects.toThrow('could not be loaded');
  });

  it('lets running requests end and refuses new ones while it closes', async () => {
    const host = await readyHost();
    const events: GenerateEvent[] = [];
    let closed: Promise<void> | undefined;
    for await (const event of host.generate(
      generateRequest({ stop: { maxTokens: 300 } }),
      new AbortController().signal,
    )) {
      events.push(event);
      closed ??= host.close(60_000);
    }
    expect(collect(events, 1).usage.completionTokens).toBe(300);
    await expect(run(host, generateRequest())).rejects.toMatchObject({ code: 'shutting_down' });
    await closed;
  });

  it('ends what still runs when the grace is over', async () => {
    const host = await readyHost({ maxLanes: 1 });
    const requests = Array.from({ length: 20 }, () =>
      run(host, generateRequest({ stop: { maxTokens: 480 } })),
    );
    const outcomes = Promise.allSettled(requests);
    await host.close(0);
    const failures = (await outcomes).flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason] : [],
    );
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toBeInstanceOf(TrimtabError);
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['shutting_down']));
  });
});
