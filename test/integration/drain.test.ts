/** The end of the real process: what runs is finished, what comes is refused, and it leaves by itself. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { eventually, post, user } from '../contract/target.js';
import { readEventStream } from '../helpers/event-stream.js';
import { suiteFolder } from '../helpers/suite-folder.js';

const entry = fileURLToPath(new URL('../../src/cli/run.ts', import.meta.url));

/** `trimtab serve` on a free port; resolves once it listens. */
async function serve() {
  const args = [
    'serve',
    '--port',
    '0',
    '--cache-folder',
    suiteFolder(),
    '--log-level',
    'error',
    '--threads',
    '1',
  ];
  const program = `const { run } = await import(${JSON.stringify(entry)}); await run(${JSON.stringify(args)});`;
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'inherit', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  for await (const chunk of child.stderr) {
    text += String(chunk);
    const url = /at (http:\S+)\/v1/.exec(text)?.[1];
    if (url !== undefined) return { child, target: { url, model: 'nano' } };
  }
  throw new Error(`the server ended before it listened: ${text}`);
}

test('SIGTERM lets a stream end, answers 503 meanwhile, and ends with exit code 0', {
  timeout: 120_000,
}, async () => {
  const { child, target } = await serve();
  const body = { model: 'nano', messages: user('Tell me a story.'), stream: true, ignore_eos: true };
  const stream = await post(target, '/v1/chat/completions', { ...body, max_tokens: 700 });
  expect(stream.status).toBe(200);
  expect((await fetch(`${target.url}/ready`)).status).toBe(200);
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const frames = readEventStream(stream);
  await eventually(async () => (await fetch(`${target.url}/ready`)).status === 503);
  expect(await (await fetch(`${target.url}/ready`)).json()).toMatchObject({
    error: { code: 'shutting_down' },
  });
  const refused = await post(target, '/v1/chat/completions', { ...body, max_tokens: 5 });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'shutting_down' } });
  const { frames: received, isDone } = await frames;
  expect(isDone).toBe(true);
  expect(JSON.stringify(received.at(-1))).toContain('"finish_reason":"length"');
  expect(await exited).toEqual([0, null]);
});
