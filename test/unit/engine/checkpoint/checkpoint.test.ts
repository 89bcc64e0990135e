import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TrimtabError } from '../../../../src/core/errors.js';
import { openCheckpoint } from '../../../../src/engine/checkpoint/checkpoint.js';
import { checkpointFixtureNames, loadCheckpointFixture } from '../../../helpers/checkpoint-fixture.js';
import { safetensorsBytes, temporaryFolder } from '../../../helpers/safetensors-bytes.js';

const indexName = 'model.safetensors.index.json';

/** A writable copy of a reference checkpoint. */
function copyOf(name: string): string {
  const folder = join(temporaryFolder(), name);
  cpSync(loadCheckpointFixture(name).folder, folder, { recursive: true });
  return folder;
}

function refusal(folder: string): TrimtabError {
  try {
    openCheckpoint(folder).close();
  } catch (error) {
    expect(error).toBeInstanceOf(TrimtabError);
    return error as TrimtabError;
  }
  throw new Error('expected a refusal');
}

function withIndex(change: (map: Record<string, unknown>) => unknown): string {
  const folder = copyOf('mistral-sharded');
  const index = JSON.parse(readFileSync(join(folder, indexName), 'utf8'));
  writeFileSync(join(folder, indexName), JSON.stringify({ weight_map: change(index.weight_map) }));
  return folder;
}

describe('openCheckpoint', () => {
  test.each(checkpointFixtureNames)('opens %s and reads each of its tensors', (name) => {
    const checkpoint = openCheckpoint(loadCheckpointFixture(name).folder);
    for (const tensor of checkpoint.tensors.values()) {
      const values = checkpoint.read(tensor);
      expect(values.length).toBe(tensor.shape.reduce((a, b) => a * b, 1));
      expect(values.every(Number.isFinite)).toBe(true);
    }
    checkpoint.close();
  });

  test('takes each tensor of a sharded model from the shard that the index names', () => {
    const checkpoint = openCheckpoint(loadCheckpointFixture('mistral-sharded').folder);
    expect(checkpoint.weightFiles).toHaveLength(4);
    expect(new Set([...checkpoint.tensors.values()].map((tensor) => tensor.file)).size).toBe(4);
    checkpoint.close();
  });

  test('follows the links of the hub cache, from a snapshot to blobs', () => {
    const repository = join(temporaryFolder(), 'models--a--b');
    const snapshot = join(repository, 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    cpSync(loadCheckpointFixture('qwen3').folder, join(repository, 'blobs'), { recursive: true });
    for (const file of ['config.json', 'model.safetensors']) {
      symlinkSync(`../../blobs/${file}`, join(snapshot, file));
    }
    expect(() => openCheckpoint(snapshot).close()).not.toThrow();
  });
});

describe('refusing a folder', () => {
  test('that is missing, empty or only an adapter', () => {
    const folder = temporaryFolder();
    expect(refusal(join(folder, 'none')).message).toMatch(/no such folder/);
    expect(refusal(folder).message).toMatch(/has no config.json/);
    writeFileSync(join(folder, 'adapter_config.json'), '{}');
    expect(refusal(folder)).toMatchObject({ code: 'unsupported_model' });
  });

  test('without weights, or with weights of another format, by name', () => {
    const folder = copyOf('qwen3');
    rmSync(join(folder, 'model.safetensors'));
    expect(refusal(folder).message).toMatch(/neither model.safetensors nor model.safetensors.index.json/);
    writeFileSync(join(folder, 'model-q4.gguf'), '');
    expect(refusal(folder).message).toMatch(/model-q4.gguf: is not a safetensors file/);
    writeFileSync(join(folder, 'pytorch_model.bin'), '');
    expect(refusal(folder).message).toMatch(/pytorch_model.bin: is a Python pickle/);
  });

  test('whose model.safetensors is a renamed pickle', () => {
    const folder = copyOf('qwen3');
    writeFileSync(join(folder, 'model.safetensors'), Buffer.from('504b03040000080800000000', 'hex'));
    expect(refusal(folder).message).toMatch(/model.safetensors: is a Python pickle/);
  });

  test('with a config.json that is no object, too large, ambiguous or not UTF-8', () => {
    const folder = copyOf('qwen3');
    const refuse = (content: string | Buffer) => {
      writeFileSync(join(folder, 'config.json'), content);
      const { message } = refusal(folder);
      expect(message).toContain(join(folder, 'config.json'));
      return message;
    };
    expect(refuse('[]')).toMatch(/should be a JSON object/);
    expect(refuse('{"a":NaN}')).toMatch(/not valid JSON/);
    expect(refuse('{"a":1,"a":2}')).toMatch(/appears twice/);
    expect(refuse(' '.repeat((4 << 20) + 1))).toMatch(/more than the limit/);
    expect(refuse(Buffer.from([0x7b, 0xff, 0x7d]))).toMatch(/not valid UTF-8/);
    expect(refuse('{"a":'.repeat(100_000))).toMatch(/deeper than/);
  });
});

describe('refusing an index', () => {
  test.each(['../outside.safetensors', '/etc/passwd', 'a/../../b', 'a\\b', 'a\0b', '..', ''])(
    'that names the shard %j',
    (shard) => {
      const folder = withIndex((map) => ({ ...map, 'model.norm.weight': shard }));
      expect(refusal(folder).message).toMatch(/leaves the checkpoint folder/);
    },
  );

  test('that names a shard which is missing', () => {
    const folder = withIndex((map) => ({ ...map, 'model.norm.weight': 'model-9.safetensors' }));
    expect(refusal(folder).message).toMatch(/model-9.safetensors: the file is missing/);
  });

  test('that names a tensor which its shard does not have', () => {
    const folder = withIndex((map) => ({ ...map, extra: 'model-00001-of-00004.safetensors' }));
    expect(refusal(folder).message).toMatch(/tensor extra should be in model-00001-of-00004.safetensors/);
  });

  test('without a map, with an empty map or with a file that is no string', () => {
    expect(refusal(withIndex(() => [])).message).toMatch(/weight_map should be a JSON object/);
    expect(refusal(withIndex(() => ({}))).message).toMatch(/weight_map is empty/);
    expect(refusal(withIndex(() => ({ a: 1 }))).message).toMatch(/file of tensor a should be a string/);
  });

  test('whose shard is a link out of the folder', () => {
    const folder = withIndex((map) => ({ ...map, 'model.norm.weight': 'link.safetensors' }));
    const outside = join(temporaryFolder(), 'secret.safetensors');
    writeFileSync(outside, safetensorsBytes({}, new Uint8Array(0)));
    symlinkSync(outside, join(folder, 'link.safetensors'));
    expect(refusal(folder).message).toMatch(/link that leaves the checkpoint folder/);
  });
});
