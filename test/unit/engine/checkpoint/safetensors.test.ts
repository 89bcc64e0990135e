import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TrimtabError } from '../../../../src/core/errors.js';
import { halfToNumber } from '../../../../src/engine/checkpoint/dtype.js';
import { openSafetensors } from '../../../../src/engine/checkpoint/safetensors.js';
import { safetensorsBytes, temporaryFolder, writeTemporary } from '../../../helpers/safetensors-bytes.js';

const entry = (dtype: string, shape: unknown, begin: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** The error that opening these bytes gives. */
function refusal(bytes: Uint8Array): TrimtabError {
  const path = writeTemporary('model.safetensors', bytes);
  try {
    openSafetensors(path).close();
  } catch (error) {
    expect(error).toBeInstanceOf(TrimtabError);
    expect((error as TrimtabError).message).toContain(path);
    return error as TrimtabError;
  }
  throw new Error('expected a refusal');
}

const refuse = (header: unknown, data = 0, length?: bigint) =>
  refusal(safetensorsBytes(header, new Uint8Array(data), length)).message;

describe('reading an honest file', () => {
  const values = Float32Array.from({ length: 12 }, (_, i) => i - 5.5);
  const halves = Uint16Array.from([0x3c00, 0xc000, 0x3800, 0x0000]);
  const header = {
    __metadata__: { format: 'pt' },
    half: entry('F16', [2, 2], 0, 8),
    brain: entry('BF16', [4], 8, 16),
    full: entry('F32', [4, 3], 16, 64),
    scalar: entry('F32', [], 64, 68),
    empty: entry('F32', [0, 7], 68, 68),
    index: entry('I64', [1], 68, 76),
  };
  const bytes = [halves, halves, values, Float32Array.of(42), new Uint8Array(8)];
  const data = Buffer.concat(bytes.map((part) => new Uint8Array(part.buffer)));
  const open = () => openSafetensors(writeTemporary('a.safetensors', safetensorsBytes(header, data)));

  test('widens every float type to float32', () => {
    const file = open();
    const read = (name: string) => [...file.read(file.tensors.get(name)!)];
    expect(read('half')).toEqual([1, -2, 0.5, 0]);
    expect(read('brain')).toEqual([0.0078125, -2, 3.0517578125e-5, 0]);
    expect(read('full')).toEqual([...values]);
    expect(read('scalar')).toEqual([42]);
    expect(read('empty')).toEqual([]);
    file.close();
  });

  test('reads any range of rows, into a given array if there is one', () => {
    const file = open();
    const out = new Float32Array(10);
    expect([...file.readRows(file.tensors.get('full')!, 1, 2, out)]).toEqual([...values.subarray(3, 9)]);
    expect(out[5]).toBe(values[8]);
    expect(() => file.readRows(file.tensors.get('full')!, 3, 2)).toThrow(RangeError);
    file.close();
  });

  test('lists tensors of other types but does not read them as weights', () => {
    const file = open();
    expect(() => file.read(file.tensors.get('index')!)).toThrow(
      /tensor index is I64, expected F32, F16 or BF16/,
    );
    file.close();
  });

  test('reads more than one chunk of halves correctly', () => {
    const many = Uint16Array.from({ length: 1_300_000 }, (_, i) => i % 0x7c00);
    const head = { big: entry('F16', [1300, 1000], 0, many.byteLength) };
    const file = openSafetensors(
      writeTemporary('b.safetensors', safetensorsBytes(head, new Uint8Array(many.buffer))),
    );
    const rows = file.readRows(file.tensors.get('big')!, 3, 1297);
    for (let i = 0; i < rows.length; i += 101) expect(rows[i]).toBe(halfToNumber(many[i + 3000]!));
    file.close();
  });

  test('names the tensor when the file shrinks after it was opened', () => {
    const file = open();
    truncateSync(file.path, 300);
    expect(() => file.read(file.tensors.get('scalar')!)).toThrow(/ends inside tensor scalar/);
    file.close();
  });
});

describe('refusing a lying header', () => {
  test.each<[string, RegExp, unknown, number?, bigint?]>([
    ['a header longer than the file', /claims a header of 999 bytes/, '{}', 0, 999n],
    ['a header over the limit', /more than the limit of 100000000/, '{}', 0, 1n << 40n],
    ['a header of 2^64 - 1 bytes', /more than the limit/, '{}', 0, (1n << 64n) - 1n],
    ['an empty header', /claims a header of 0 bytes/, '{}', 0, 0n],
    ['a header cut short', /not valid JSON/, '{"a":{}}', 0, 5n],
    ['a list for a header', /the header should be a JSON object/, '[]'],
    ['deep nesting', /deeper than/, '['.repeat(100_000)],
    ['a tensor that is no object', /tensor "a" should be described by an object/, { a: 3 }],
    ['an unknown dtype', /unknown dtype "F33"/, { a: entry('F33', [1], 0, 4) }, 4],
    ['a missing dtype', /unknown dtype undefined/, { a: { shape: [1], data_offsets: [0, 4] } }, 4],
    ['a negative size', /invalid shape \[-1\]/, { a: entry('F32', [-1], 0, 4) }, 4],
    ['a fractional size', /invalid shape \[1.5\]/, { a: entry('F32', [1.5], 0, 6) }, 6],
    ['a size of 2^53', /invalid shape/, { a: entry('F32', [2 ** 53], 0, 4) }, 4],
    [
      'a size beyond doubles',
      /invalid shape/,
      '{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}',
      4,
    ],
    ['sizes as strings', /invalid shape/, { a: entry('F32', ['1'], 0, 4) }, 4],
    ['too many dimensions', /invalid shape/, { a: entry('F32', Array(9).fill(1), 0, 4) }, 4],
    ['a product that overflows', /impossible size/, { a: entry('F32', [2 ** 52, 2 ** 52], 0, 4) }, 4],
    ['bytes that overflow', /impossible size/, { a: entry('F64', [2 ** 51], 0, 4) }, 4],
    ['an overflow times zero', /impossible size/, { a: entry('F32', [2 ** 40, 2 ** 40, 0], 0, 0) }],
    ['half a byte', /impossible size/, { a: entry('F4', [3], 0, 2) }, 2],
    ['too few bytes', /should take 8 bytes, its data_offsets give 4/, { a: entry('F32', [2], 0, 4) }, 4],
    ['offsets that run backwards', /run backwards/, { a: entry('F32', [1], 4, 0) }, 4],
    ['three offsets', /data_offsets/, { a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4],
    ['offsets of 2^53', /data_offsets/, { a: entry('F32', [1], 2 ** 53, 2 ** 53 + 4) }, 4],
    ['data beyond the file', /truncated or its header lies/, { a: entry('F32', [4], 0, 16) }, 12],
    ['data after the last tensor', /bytes after its last tensor/, { a: entry('F32', [1], 0, 4) }, 8],
    ['a hole', /tensor "b" leaves a hole/, { a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) }, 12],
    ['an overlap', /tensor "b" overlaps/, { a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) }, 8],
    ['an empty name', /has a name of 0 characters/, { '': entry('F32', [1], 0, 4) }, 4],
    [
      'a name without end',
      /has a name of 5000 characters/,
      { ['x'.repeat(5000)]: entry('F32', [1], 0, 4) },
      4,
    ],
  ])('%s', (_, message, header, data, length) => {
    expect(refuse(header, data, length)).toMatch(message);
  });

  test('duplicate tensor names, also through escapes', () => {
    const one = JSON.stringify(entry('F32', [1], 0, 4));
    expect(refuse(`{"a":${one},"a":${one}}`, 4)).toMatch(/the key "a" appears twice/);
    expect(refuse(`{"a":${one},"\\u0061":${one}}`, 4)).toMatch(/the key "a" appears twice/);
  });

  test('a prototype cannot be reached through a tensor name', () => {
    const header = `{"__proto__":${JSON.stringify(entry('F32', [1], 0, 4))}}`;
    const file = openSafetensors(
      writeTemporary('p.safetensors', safetensorsBytes(header, new Uint8Array(4))),
    );
    expect([...file.tensors.keys()]).toEqual(['__proto__']);
    file.close();
  });

  test('a header that is not UTF-8', () => {
    const bytes = safetensorsBytes('{"a":1}', new Uint8Array(0));
    bytes[10] = 0xff;
    expect(refusal(bytes).message).toMatch(/not valid UTF-8/);
  });
});

describe('refusing what is not safetensors', () => {
  test.each([
    ['a zip archive of torch.save', Buffer.from('504b03040000080800000000', 'hex')],
    ['an old pickle stream', Buffer.from('80028a0a6cfc9c46f9206aa8', 'hex')],
    ['a pickle of protocol 4', Buffer.from('80049528000000000000007d', 'hex')],
  ])('%s, with advice', (_, bytes) => {
    const error = refusal(bytes);
    expect(error.code).toBe('unsupported_model');
    expect(error.message).toMatch(/Python pickle.*\*\.safetensors/);
  });

  test('a GGUF file', () => {
    expect(refusal(Buffer.from('GGUF\x03\0\0\0\0\0\0\0')).message).toMatch(/GGUF/);
  });

  test('a folder, a pipe and a missing file', () => {
    const folder = temporaryFolder();
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(() => openSafetensors(folder)).toThrow(/not a regular file/);
    expect(() => openSafetensors(pipe)).toThrow(/not a regular file/);
    expect(() => openSafetensors(join(folder, 'none'))).toThrow(/the file is missing/);
  });
});

describe('any damage', () => {
  const header = {
    a: entry('F32', [2, 3], 0, 24),
    b: entry('BF16', [4], 24, 32),
    c: entry('F16', [1], 32, 34),
  };
  const whole = safetensorsBytes(header, new Uint8Array(34).fill(7));

  test('truncation at every byte is refused', () => {
    const path = writeTemporary('t.safetensors', whole);
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      expect(() => openSafetensors(path)).toThrow(TrimtabError);
    }
  });

  test('flipped bytes give a named error or a file whose tensors all lie inside it', () => {
    const path = writeTemporary('m.safetensors', whole);
    const mutation = fc.tuple(fc.nat(whole.length - 35), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = Buffer.from(whole);
        for (const [position, value] of mutations) bytes[position] = value;
        expectNamedErrorOrSound(path, bytes);
      }),
      { numRuns: 300 },
    );
  });

  test('so do arbitrary sizes, offsets and types in well-formed JSON', () => {
    const path = writeTemporary('j.safetensors', whole);
    const number = fc.oneof(fc.nat(40), fc.maxSafeNat(), fc.double(), fc.constantFrom(-1, 2 ** 53, 1e308));
    const tensor = fc.record({
      dtype: fc.constantFrom('F32', 'BF16', 'F4', 'I64', 'x'),
      shape: fc.array(number, { maxLength: 4 }),
      data_offsets: fc.array(number, { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.dictionary(fc.string(), tensor, { maxKeys: 4 }), (tensors) => {
        expectNamedErrorOrSound(path, safetensorsBytes(tensors, new Uint8Array(34)));
      }),
      { numRuns: 300 },
    );
  });
});

/** Opening and reading everything allocates no more than the file holds, widened. */
function expectNamedErrorOrSound(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes);
  try {
    const file = openSafetensors(path);
    for (const tensor of file.tensors.values()) {
      expect(tensor.byteOffset + tensor.byteLength).toBeLessThanOrEqual(bytes.length);
      if (['F32', 'F16', 'BF16'].includes(tensor.dtype)) {
        expect(file.read(tensor).byteLength).toBeLessThanOrEqual(2 * tensor.byteLength);
      }
    }
    file.close();
  } catch (error) {
    if (!(error instanceof TrimtabError)) throw error;
    expect(error.message).toContain(path);
    expect(['invalid_checkpoint', 'unsupported_model']).toContain(error.code);
  }
}
