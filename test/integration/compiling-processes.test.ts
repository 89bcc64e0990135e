/** The compiler seen from outside: its memory, and what happens when processes meet, die or may not write. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { prepareModel } from '../../src/engine/prepare-model.js';
import { writeBroadCheckpoint } from '../helpers/broad-checkpoint.js';
import { compilation, startCompiling } from '../helpers/compile-process.js';
import { fixtureFolder } from '../helpers/fixture-model.js';
import { temporaryFolder } from '../helpers/safetensors-bytes.js';
import { suiteFolder } from '../helpers/suite-folder.js';

/** Processes take their time to start on a busy machine. */
const timeout = 120_000;

const broad = join(suiteFolder(), 'broad');
const fp32Bytes = writeBroadCheckpoint(broad);

function compile(folder: string, cacheDir: string) {
  const { compiled, checkpoint } = prepareModel({ folder, cacheDir, weights: 'int4' });
  checkpoint.close();
  return compiled;
}

/** Each file by its hash, because comparing megabytes number by number takes minutes. */
const filesOf = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]);

const unfinishedIn = (cache: string) => readdirSync(cache).filter((name) => /^int4-\w+\./.test(name));

it('should need much less memory than the weights take in float32', { timeout }, async () => {
  const process = (folder: string) => compilation(startCompiling(folder, temporaryFolder()));
  const [large, small] = [await process(broad), await process(fixtureFolder('llama-gqa'))];
  expect(large.peakBytes - small.peakBytes).toBeLessThan(fp32Bytes / 2);
});

it('should give two processes that compile at once one whole result', { timeout }, async () => {
  const cache = temporaryFolder();
  const both = [startCompiling(broad, cache), startCompiling(broad, cache)];
  const [first, second] = await Promise.all(both.map(compilation));
  expect(second!.folder).toBe(first!.folder);
  expect(unfinishedIn(cache)).toEqual([]);
  expect(filesOf(first!.folder)).toEqual(filesOf(compile(broad, temporaryFolder()).folder));
});

it('should not trip over what a killed process left, and remove it when it is old', { timeout }, async () => {
  const cache = temporaryFolder();
  const child = startCompiling(broad, cache);
  await once(child.stdout!, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const [left] = unfinishedIn(cache);
  expect(left).toBeDefined();

  const { folder } = compile(broad, cache);
  expect(filesOf(folder)).toEqual(filesOf(compile(broad, temporaryFolder()).folder));
  expect(unfinishedIn(cache)).toEqual([left]);

  const longAgo = new Date(Date.now() - 2 * 3600_000);
  for (const name of ['', ...readdirSync(join(cache, left!))])
    utimesSync(join(cache, left!, name), longAgo, longAgo);
  writeFileSync(join(folder, 'weights.bin'), '');
  compile(broad, cache);
  expect(unfinishedIn(cache)).toEqual([]);
});

it('should serve a compiled model from a folder that it may not write', () => {
  const [checkpoint, cache] = readable(temporaryFolder());
  const { folder } = compile(checkpoint, cache);
  const files = filesOf(folder);
  withoutWriting(cache, () => {
    const again = compile(checkpoint, cache);
    expect(again.folder).toBe(folder);
    for (const path of [
      again.variantPath(plain),
      again.variantPath(plain, 'prompt'),
      again.probePath('int8'),
      again.probePath('fp32'),
    ]) {
      expect(existsSync(path)).toBe(true);
    }
  });
  expect(filesOf(folder)).toEqual(files);
});

it('should name the folder that it may not write and what to do about it', () => {
  const [checkpoint, cache] = readable(temporaryFolder());
  const advice = `The cache folder ${cache} is not writable, and the compiled model is not in it.`;
  withoutWriting(cache, () => expect(() => compile(checkpoint, cache)).toThrow(advice));
  expect(readdirSync(cache)).toEqual([]);
});

const plain = { lowRank: false, hiddenStates: [] };

/** A checkpoint and an empty cache that any user may read. */
function readable(folder: string): [checkpoint: string, cache: string] {
  const [checkpoint, cache] = [join(folder, 'checkpoint'), join(folder, 'cache')];
  cpSync(fixtureFolder('llama-gqa'), checkpoint, { recursive: true });
  mkdirSync(cache);
  chmodSync(folder, 0o755);
  return [checkpoint, cache];
}

/** Root may write everywhere, so it acts as somebody else meanwhile. */
function withoutWriting(folder: string, action: () => void): void {
  const user = process.geteuid!();
  chmodSync(folder, 0o555);
  if (user === 0) process.seteuid!(65_534);
  try {
    action();
  } finally {
    process.seteuid!(user);
    chmodSync(folder, 0o755);
  }
}
