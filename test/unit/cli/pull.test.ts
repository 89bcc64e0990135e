import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Answer } from '../../helpers/hub-server.js';
import { HubServer, sha256 } from '../../helpers/hub-server.js';
import { temporaryFolder } from '../../helpers/safetensors-bytes.js';

const weights = randomBytes(300_000);
const files = { 'config.json': '{}', 'model.safetensors': weights };
const command = fileURLToPath(new URL('../../../src/cli/pull.ts', import.meta.url));

/** `trimtab pull org/model` as a process of its own. */
function startPull(server: HubServer, cacheFolder: string) {
  const program = `
    const { runCommand } = await import('citty');
    const { pullCommand } = await import(${JSON.stringify(command)});
    await runCommand(pullCommand, { rawArgs: ['org/model'] });`;
  const env = {
    PATH: process.env.PATH,
    HOME: cacheFolder,
    HF_ENDPOINT: server.endpoint,
    HF_HUB_CACHE: cacheFolder,
  };
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const child = spawn(process.execPath, flags, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, output: outputOf(child) };
}

async function outputOf(child: ChildProcessByStdio<null, Readable, Readable>) {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code: code as number };
}

/** Processes take their time to start on a busy machine. */
const timeout = 120_000;

test('trimtab pull stops on SIGINT with exit code 130, and goes on where it stopped', {
  timeout,
}, async () => {
  const server = await HubServer.start(files);
  const cacheFolder = temporaryFolder();
  const stall: Answer = (_request, response, bytes) => {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(bytes.subarray(0, 200_000));
  };
  server.instead.set('model.safetensors', [stall]);

  const first = startPull(server, cacheFolder);
  const partial = join(cacheFolder, 'models--org--model', 'blobs', `${sha256(weights)}.incomplete`);
  await vi.waitFor(() => expect(statSync(partial).size).toBeGreaterThan(0), { timeout, interval: 50 });
  first.child.kill('SIGINT');
  const interrupted = await first.output;
  expect(interrupted.stdout).toBe('');
  expect(interrupted.stderr).toMatch(/interrupted; the same command goes on from here/);
  expect(interrupted.code).toBe(130);

  const { stdout, stderr, code } = await startPull(server, cacheFolder).output;
  expect(weights.equals(readFileSync(join(stdout.trim(), 'model.safetensors')))).toBe(true);
  expect(stderr).toMatch(/^org\/model \d+% .*\n(.*\n)*org\/model 100% 300 kB of 300 kB.*\n$/);
  expect(code).toBe(0);
  expect(server.requestsFor('model.safetensors').at(-1)?.range).toMatch(/^bytes=[1-9]/);
});
