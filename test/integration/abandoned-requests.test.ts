import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import { generateRequest } from '../helpers/generate-request.js';

const requests = 500;
const atOnce = 20;
/** What the heap of the worker may keep of garbage that was not collected yet. */
const memorySlack = 128 * 2 ** 20;

let host: EngineHost;

beforeAll(async () => {
  const folder = fileURLToPath(new URL('../../models/nano', import.meta.url));
  const cacheDir = mkdtempSync(join(tmpdir(), 'trimtab-'));
  host = new EngineHost({
    models: [{ id: 'nano', folder, weights: 'fp32', cacheDir, threads: 1 }],
    config: engineConfigSchema.parse({}),
  });
  await host.loaded();
});
afterAll(() => host.close(0));

const request = (index: number, maxTokens: number) =>
  generateRequest({
    model: 'nano',
    cachePrompt: false,
    prompt: {
      kind: 'tokens',
      ids: Array.from({ length: 1 + (index % 200) }, (_, i) => 300 + ((i * 7) % 900)),
    },
    stop: { maxTokens, ignoreEos: true },
  });

async function answer(signal = new AbortController().signal, index = 60, maxTokens = 24): Promise<string> {
  let text = '';
  for await (const event of host.generate(request(index, maxTokens), signal)) {
    if (event.type === 'delta') text += event.text;
  }
  return text;
}

/** Each leaves at a phase of its own: before it starts, in the queue, in the prompt, while it decodes, or never. */
async function abandon(index: number): Promise<void> {
  const abort = new AbortController();
  if (index % 5 === 0) abort.abort();
  const done = answer(abort.signal, index, 8);
  if (index % 5 < 4) {
    await sleep(index % 40);
    abort.abort();
  }
  await done.catch((error: { code?: string }) => expect(error.code).toBe('queue_full'));
}

it('should be as before after 500 requests whose clients left at every phase', async () => {
  const before = await answer();
  const memory = host.stats()[0]!.workerMemoryBytes;
  for (let first = 0; first < requests; first += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, i) => abandon(first + i)));
  }
  await expect
    .poll(() => host.stats()[0], { timeout: 20_000 })
    .toMatchObject({ running: 0, waiting: 0, kvCacheUsage: 0, restartsTotal: 0 });
  expect(await answer()).toBe(before);
  expect(host.stats()[0]!.workerMemoryBytes).toBeLessThan(memory + memorySlack);
}, 120_000);
