import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
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
  const exit = once(child, 'exit').then(([code]) => code as number);
  return { child, output: Promise.all([text(child.stdout), text(child.stderr), exit]) };
}

describe('trimtab pull', () => {
  test('prints the folder on stdout and progress on stderr', async () => {
    const server = await HubServer.start(files);
    const [stdout, stderr, code] = await startPull(server, temporaryFolder()).output;
    expect(weights.equals(readFileSync(join(stdout.trim(), 'model.safetensors')))).toBe(true);
    expect(stderr).toMatch(/^org\/model 0% .*\n(.*\n)*org\/model 100% 300 kB of 300 kB.*\n$/);
    expect(code).toBe(0);
  });

  test('stops on SIGINT with exit code 130, and goes on where it stopped', async () => {
    const server = await HubServer.start(files);
    const cacheFolder = temporaryFolder();
    const stall: Answer = (_request, response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 200_000));
    };
    server.instead.set('model.safetensors', [stall]);
    const interrupted = startPull(server, cacheFolder);
    const partial = join(cacheFolder, 'models--org--model', 'blobs', `${sha256(weights)}.incomplete`);
    await vi.waitFor(() => expect(statSync(partial).size).toBeGreaterThan(0), { timeout: 20_000 });
    interrupted.child.kill('SIGINT');
    const [stdout, stderr, code] = await interrupted.output;
    expect(stdout).toBe('');
    expect(stderr).toMatch(/interrupted; the same command goes on from here/);
    expect(code).toBe(130);
    const [folder] = await startPull(server, cacheFolder).output;
    expect(weights.equals(readFileSync(join(folder.trim(), 'model.safetensors')))).toBe(true);
    expect(server.requestsFor('model.safetensors').at(-1)?.range).toMatch(/^bytes=[1-9]/);
  });
});
