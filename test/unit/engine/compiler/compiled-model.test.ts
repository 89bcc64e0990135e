import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { PreparedModel } from '../../../../src/engine/prepare-model.js';
import { prepareModel } from '../../../../src/engine/prepare-model.js';
import { fixtureFolder } from '../../../helpers/fixture-model.js';

const freshCache = () => mkdtempSync(join(tmpdir(), 'trimtab-'));

function compile(
  cacheDir: string,
  weights: 'int4' | 'int8' = 'int4',
  onProgress?: () => void,
): PreparedModel['compiled'] {
  const progress = onProgress === undefined ? {} : { onProgress };
  const prepared = prepareModel({ folder: fixtureFolder('qwen2-tied'), weights, cacheDir, ...progress });
  prepared.checkpoint.close();
  return prepared.compiled;
}

const filesOf = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => [name, readFileSync(join(folder, name))]);

it('should compile the same checkpoint to the same bytes', () => {
  const [first, second] = [compile(freshCache()), compile(freshCache())];
  expect(second.key).toBe(first.key);
  expect(filesOf(second.folder)).toEqual(filesOf(first.folder));
});

it('should reuse what an earlier start compiled', () => {
  const cache = freshCache();
  const before = statSync(join(compile(cache).folder, 'weights.bin')).mtimeMs;
  let written = 0;
  const again = compile(cache, 'int4', () => written++);
  expect(written).toBe(0);
  expect(statSync(join(again.folder, 'weights.bin')).mtimeMs).toBe(before);
});

it('should keep each precision in a folder of its own', () => {
  const cache = freshCache();
  expect(compile(cache, 'int8').folder).not.toBe(compile(cache, 'int4').folder);
});

it('should leave nothing behind that counts as complete when it is interrupted', () => {
  const cache = freshCache();
  const interrupted = () =>
    compile(cache, 'int4', () => {
      throw new Error('interrupted');
    });
  expect(interrupted).toThrow('interrupted');
  expect(readdirSync(cache).filter((name) => name.startsWith('int4'))).toEqual([]);
  expect(compile(cache).isCached()).toBe(true);
});

it('should compile again when the weight file was cut off', () => {
  const cache = freshCache();
  const { folder, weightBytes } = compile(cache);
  truncateSync(join(folder, 'weights.bin'), weightBytes - 1);
  expect(compile(cache).isCached()).toBe(true);
});

it('should name the tensor that holds a number which is none', () => {
  const folder = freshCache();
  cpSync(fixtureFolder('llama-gqa'), folder, { recursive: true });
  const file = join(folder, 'model.safetensors');
  const bytes = readFileSync(file);
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE())));
  const name = 'model.layers.1.mlp.down_proj.weight';
  bytes.writeFloatLE(Number.NaN, 8 + Number(bytes.readBigUInt64LE()) + header[name].data_offsets[0] + 8);
  writeFileSync(file, bytes);
  const options = { folder, weights: 'int4', cacheDir: freshCache() } as const;
  expect(() => prepareModel(options)).toThrow(/down_proj\.weight holds NaN/);
});
