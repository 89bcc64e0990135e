/** What replies and `/metrics` say of drafts, on the embedded model, whose answers do repeat what they were given. */

import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import { specDecodeMetricsCases } from '../contract/cases/spec-decode-metrics.js';
import {
  type ContractTarget,
  chat,
  complete,
  metricValue,
  type Reply,
  streamChat,
} from '../contract/target.js';
import { nanoFolder } from '../helpers/nano-model.js';
import { assertConsistent, assertTokensPerStep } from '../helpers/spec-decode.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { startTestServer } from '../helpers/test-server.js';

const cacheDir = suiteFolder();
const summary = { metrics: { speculative_decoding: 'summary' } };
const detailed = { metrics: { speculative_decoding: 'detailed' } };
/** Drafts whatever steps cost, so that how busy the machine is does not matter. */
const on = { efficiency: { draft_verification: { method: 'prompt-lookup', max_tokens: 8 } } };
const off = { efficiency: { draft_verification: 'off' } };

interface Served extends ContractTarget {
  close(): Promise<void>;
}

async function serve(settings: object = {}): Promise<Served> {
  const host = new EngineHost({
    models: [{ id: 'nano', folder: nanoFolder, weights: 'fp32', cacheDir, threads: 1 }],
    config: engineConfigSchema.parse({ drafts: { persist: false } }),
  });
  await host.loaded();
  const server = await startTestServer(host, settings);
  const close = async () => {
    await server.close();
    await host.close(0);
  };
  return { url: server.url, model: 'nano', close };
}

const text = 'The round tiger loves the dark coin in the kitchen. Julia sees the proud garden in the meadow.';
const copy = { messages: [{ role: 'user', content: `Say this back to me:\n${text}` }], max_tokens: 48 };
/** Fills its tokens, so that no answer ends on a token of a draft. */
const endless = { prompt: 'one two one two one two one two', ignore_eos: true, max_tokens: 40 };

let target: Served;
beforeAll(async () => {
  target = await serve();
  // Until it is known what steps cost, some have rows that nobody drafted, and now and then such a row is right.
  for (let time = 0; time < 4; time++) await complete(target, { ...endless, prompt: `${time} owls`, ...on });
}, 120_000);
afterAll(() => target.close());

describe('metrics of drafts in replies of nano', () => {
  specDecodeMetricsCases(() => target);

  it('tell of drafts from the prompt, as the receipt does', async () => {
    const plain = await chat(target, { ...copy, ...off, ...summary });
    expect(plain.metrics).toEqual({ speculative_decoding: null });
    const reply = await chat(target, { ...copy, ...on, ...detailed });
    expect(reply.choices).toEqual(plain.choices);
    expect(reply.choices[0].message.content).toBe(text);
    const drafts = reply.metrics.speculative_decoding;
    assertConsistent(drafts, 'detailed');
    assertTokensPerStep(drafts, reply.usage.completion_tokens);
    expect(drafts.num_spec_tokens).toBe(8);
    expect(drafts.num_accepted_draft_tokens).toBeGreaterThan(5);
    expect(drafts.by_source.context).toEqual({
      drafted: drafts.num_draft_tokens,
      accepted: drafts.num_accepted_draft_tokens,
    });
    expect(drafts.verify_ms).toBeGreaterThan(0);
    expect(reply.usage.efficiency.draft_verification).toMatchObject({
      drafted_steps: drafts.num_spec_steps,
      plain_steps: drafts.num_plain_steps,
      drafted_tokens: drafts.num_draft_tokens,
      accepted_tokens: drafts.num_accepted_draft_tokens,
      tokens_per_step: drafts.tokens_per_model_step,
      draft_ms: drafts.draft_ms,
    });
  });

  it('account for every token of a completion that fills its tokens: first ones, steps and accepted drafts', async () => {
    for (const n of [1, 3]) {
      const reply = await complete(target, { ...endless, n, ...on, ...summary });
      const drafts = reply.metrics.speculative_decoding;
      assertConsistent(drafts);
      expect(drafts.num_spec_steps).toBeGreaterThan(0);
      const steps = drafts.num_spec_steps + drafts.num_plain_steps;
      expect(reply.usage.completion_tokens).toBe(40 * n);
      expect(n + steps + drafts.num_accepted_draft_tokens).toBe(40 * n);
    }
  });

  it('are those of the counters of vLLM, summed over requests', async () => {
    const names = {
      num_spec_steps: 'vllm:spec_decode_num_drafts_total',
      num_draft_tokens: 'vllm:spec_decode_num_draft_tokens_total',
      num_accepted_draft_tokens: 'vllm:spec_decode_num_accepted_tokens_total',
      num_plain_steps: 'trimtab_draft_plain_steps_total',
    };
    const read = () => Promise.all(Object.values(names).map((name) => metricValue(target, name)));
    const before = await read();
    const replies = [
      await complete(target, { ...endless, n: 2, ...on, ...summary }),
      (await streamChat(target, { ...copy, ...on, ...summary, stream_options: { include_usage: true } })).at(
        -1,
      ),
      await chat(target, { ...copy, max_tokens: 1, ...on, ...summary }),
    ];
    const after = await read();
    const told = Object.keys(names).map((field) =>
      replies.reduce((sum, { metrics }) => sum + metrics.speculative_decoding[field], 0),
    );
    expect(after.map((count, i) => count - before[i]!)).toEqual(told);
  });

  it('are 0 all over for an answer of one token, which takes no step', async () => {
    const reply = await chat(target, { ...copy, max_tokens: 1, ...on, ...detailed });
    const drafts = reply.metrics.speculative_decoding;
    assertConsistent(drafts, 'detailed');
    expect(drafts).toMatchObject({ num_spec_steps: 0, num_plain_steps: 0, tokens_per_model_step: 1 });
    expect(reply.usage).not.toHaveProperty('efficiency');
  });
});

describe('a server that tells all of drafts by itself', () => {
  let telling: Served;
  beforeAll(async () => {
    telling = await serve({ perRequestSpecDecodeMetrics: 'detailed' });
  }, 120_000);
  afterAll(() => telling.close());

  it('needs no word of the request, counts the very first step, and is silent where a request says so', async () => {
    const client = new OpenAI({ baseURL: `${telling.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const body = { model: 'nano', temperature: 0, ...endless };
    const first: Reply = await client.completions.create(body as never);
    const drafts = first.metrics.speculative_decoding;
    assertConsistent(drafts, 'detailed');
    assertTokensPerStep(drafts, 40);
    const quiet = { metrics: { speculative_decoding: 'none' } };
    expect(await chat(telling, { ...copy, ...quiet })).not.toHaveProperty('metrics');
    const reply = await chat(telling, { ...copy, ...summary });
    assertConsistent(reply.metrics.speculative_decoding, 'summary');
  });
});
