/** What models/nano streams over HTTP is byte for byte the same with drafts as without. */

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import { type ContractTarget, post, type Reply, user } from '../contract/target.js';
import { suiteFolder } from '../helpers/suite-folder.js';
import { startTestServer, type TestServer } from '../helpers/test-server.js';

const folder = fileURLToPath(new URL('../../models/nano', import.meta.url));
const cacheDir = suiteFolder();
const questions = [
  'Hello',
  'Repeat this three times: red circle, blue square.',
  'What is the capital of Lumo?',
  'Count from one to ten.',
];
const off = { efficiency: { draft_verification: 'off' } };
const on = { efficiency: { draft_verification: { max_tokens: 'auto' } } };
/** Whatever that costs, so that it does not depend on how fast the machine is just then. */
const always = { efficiency: { draft_verification: { method: 'aded-compat' } } };
const PATIENCE_MS = 180_000;

let host: EngineHost;
let server: TestServer;
let target: ContractTarget;
beforeAll(async () => {
  host = new EngineHost({
    models: [{ id: 'nano', folder, weights: 'fp32', cacheDir, threads: 1 }],
    config: engineConfigSchema.parse({ drafts: { persist: false } }),
  });
  await host.loaded();
  server = await startTestServer(host);
  target = { url: server.url, model: 'nano' };
}, PATIENCE_MS);
afterAll(async () => {
  await server.close();
  await host.close(0);
});

/** Without the names and times of a stream. */
async function bytes(body: object): Promise<string> {
  const response = await post(target, '/v1/chat/completions', {
    model: 'nano',
    stream: true,
    max_tokens: 80,
    ...body,
  });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return text.replace(/"id":"[^"]*"/g, '"id":""').replace(/"created":\d+/g, '"created":0');
}

async function acceptedTokens(body: object): Promise<number> {
  const response = await post(target, '/v1/chat/completions', { model: 'nano', max_tokens: 80, ...body });
  const { usage } = (await response.json()) as Reply;
  return usage.efficiency?.draft_verification.accepted_tokens ?? 0;
}

it.each([
  ['greedy', { temperature: 0 }],
  ['drawn with a seed', { temperature: 0.8, seed: 11 }],
])(
  'streams the same bytes, again and again: %s',
  async (_, sampling) => {
    let accepted = 0;
    for (const question of questions) {
      const body = { messages: user(question), ...sampling };
      const plain = await bytes({ ...body, ...off });
      expect(plain).toContain('[DONE]');
      for (let time = 0; time < 4; time++) {
        for (const way of [on, always]) expect(await bytes({ ...body, ...way })).toBe(plain);
      }
      accepted += await acceptedTokens({ ...body, ...always });
    }
    expect(accepted).toBeGreaterThan(10);
  },
  PATIENCE_MS,
);
