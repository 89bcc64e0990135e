/**
 * One `.safetensors` file: eight bytes of header length, a JSON header, then the tensors one after another.
 * The header is checked against the file before anything else is read; tensors are read in rows, as float32.
 * Reads are synchronous: this runs in the compile step, never on the thread that serves requests.
 */

import { closeSync, fstatSync, readSync } from 'node:fs';
import type { Dtype } from './dtype.js';
import { byteLengthOf, isDtype, isFloatDtype, widenBf16, widenF16 } from './dtype.js';
import {
  asJsonObject,
  decodeUtf8,
  fileSize,
  invalidCheckpoint,
  isJsonObject,
  openForReading,
  parseJson,
} from './files.js';
import { refuseForeignFormat } from './foreign-format.js';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly file: string;
  /** Counted from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

const maxHeaderBytes = 100_000_000;
const maxTensors = 200_000;
const maxDimensions = 8;
const maxNameLength = 1024;
/** Elements converted at a time. */
const chunkElements = 1 << 19;

export class SafetensorsFile {
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly path: string;
  readonly #fd: number;
  #chunk: Uint16Array | undefined;

  constructor(path: string, fd: number, tensors: ReadonlyMap<string, TensorInfo>) {
    this.path = path;
    this.#fd = fd;
    this.tensors = tensors;
  }

  /** The whole tensor as float32; for tensors that are known to be small. */
  read(tensor: TensorInfo): Float32Array {
    return this.readRows(tensor, 0, rowsOf(tensor));
  }

  /** Rows `[firstRow, firstRow + rows)` of the first dimension, as float32, into `out` or a new array. */
  readRows(tensor: TensorInfo, firstRow: number, rows: number, out?: Float32Array): Float32Array {
    const width = rowWidth(tensor);
    if (firstRow < 0 || rows < 0 || firstRow + rows > rowsOf(tensor)) {
      throw new RangeError(`rows ${firstRow}+${rows} of ${tensor.name}, which has ${rowsOf(tensor)}`);
    }
    const target = (out ?? new Float32Array(rows * width)).subarray(0, rows * width);
    this.#readElements(tensor, firstRow * width, target);
    return target;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #readElements(tensor: TensorInfo, first: number, target: Float32Array): void {
    if (!isFloatDtype(tensor.dtype)) {
      throw invalidCheckpoint(
        tensor.file,
        `tensor ${tensor.name} is ${tensor.dtype}, expected F32, F16 or BF16`,
      );
    }
    if (tensor.dtype === 'F32') this.#readBytes(tensor, first * 4, target);
    else this.#readHalves(tensor, first, target, tensor.dtype === 'BF16' ? widenBf16 : widenF16);
  }

  #readHalves(tensor: TensorInfo, first: number, target: Float32Array, widen: typeof widenF16): void {
    this.#chunk ??= new Uint16Array(chunkElements);
    for (let done = 0; done < target.length; done += chunkElements) {
      const part = target.subarray(done, done + chunkElements);
      const halves = this.#chunk.subarray(0, part.length);
      this.#readBytes(tensor, (first + done) * 2, halves);
      widen(halves, part);
    }
  }

  /** Fills `target` from `offset` bytes into the tensor; tensors are little-endian, as is every host of Node. */
  #readBytes(tensor: TensorInfo, offset: number, target: Float32Array | Uint16Array): void {
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    if (!readFully(this.#fd, bytes, tensor.byteOffset + offset)) {
      throw invalidCheckpoint(tensor.file, `ends inside tensor ${tensor.name}; was it changed while in use?`);
    }
  }
}

/** Opens and checks the file; `invalid_checkpoint` names the file, the tensor and what was expected. */
export function openSafetensors(path: string): SafetensorsFile {
  fileSize(path);
  refuseForeignFormat(path);
  const fd = openForReading(path);
  try {
    return new SafetensorsFile(path, fd, readHeader(path, fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Size of the first dimension; a scalar is one row. */
export function rowsOf(tensor: TensorInfo): number {
  return tensor.shape[0] ?? 1;
}

/** Elements per row: the product of all dimensions but the first. */
export function rowWidth(tensor: TensorInfo): number {
  return tensor.shape.slice(1).reduce((product, size) => product * size, 1);
}

function readHeader(path: string, fd: number): Map<string, TensorInfo> {
  const size = fstatSync(fd).size;
  const length = readHeaderLength(path, fd, size);
  const bytes = new Uint8Array(length);
  if (!readFully(fd, bytes, 8)) throw invalidCheckpoint(path, 'ends inside its header');
  const json = parseJson(path, decodeUtf8(path, bytes), 4);
  const tensors = parseTensors(path, asJsonObject(path, json, 'the header'), 8 + length);
  requireContiguous(path, tensors, 8 + length, size);
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

function readHeaderLength(path: string, fd: number, size: number): number {
  const prefix = Buffer.alloc(8);
  if (!readFully(fd, prefix, 0))
    throw invalidCheckpoint(path, `has ${size} bytes, too few for a safetensors file`);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(maxHeaderBytes)) {
    throw invalidCheckpoint(
      path,
      `claims a header of ${length} bytes, more than the limit of ${maxHeaderBytes}`,
    );
  }
  if (length < 2n || length > BigInt(size - 8)) {
    throw invalidCheckpoint(path, `claims a header of ${length} bytes, but the file has ${size} bytes`);
  }
  return Number(length);
}

function parseTensors(
  path: string,
  header: Readonly<Record<string, unknown>>,
  dataStart: number,
): TensorInfo[] {
  const entries = Object.entries(header).filter(([name]) => name !== '__metadata__');
  if (entries.length > maxTensors) {
    throw invalidCheckpoint(path, `lists ${entries.length} tensors, more than the limit of ${maxTensors}`);
  }
  return entries.map(([name, entry]) => parseTensor(path, name, entry, dataStart));
}

function parseTensor(path: string, name: string, entry: unknown, dataStart: number): TensorInfo {
  const fail = (problem: string) =>
    invalidCheckpoint(path, `tensor ${JSON.stringify(name.slice(0, 200))} ${problem}`);
  if (name.length === 0 || name.length > maxNameLength) throw fail(`has a name of ${name.length} characters`);
  if (!isJsonObject(entry)) throw fail('should be described by an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype)) throw fail(`has the unknown dtype ${show(dtype)}`);
  if (!isSizes(shape) || shape.length > maxDimensions) throw fail(`has the invalid shape ${show(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) throw fail(`has the invalid data_offsets ${show(offsets)}`);
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw fail(`has data_offsets that run backwards: ${show(offsets)}`);
  const expected = byteLengthOf(dtype, countElements(shape));
  if (Number.isNaN(expected)) throw fail(`has the impossible size ${show(shape)} of ${dtype}`);
  if (end - begin !== expected) {
    throw fail(
      `of ${dtype} ${show(shape)} should take ${expected} bytes, its data_offsets give ${end - begin}`,
    );
  }
  return { name, dtype, shape, file: path, byteOffset: dataStart + begin, byteLength: expected };
}

/** The format allows neither holes nor overlaps, so that no byte has two meanings or none. */
function requireContiguous(
  path: string,
  tensors: readonly TensorInfo[],
  dataStart: number,
  fileBytes: number,
): void {
  const ordered = tensors.toSorted((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const tensor of ordered) {
    if (tensor.byteOffset !== end) {
      const problem = tensor.byteOffset < end ? 'overlaps its neighbour' : 'leaves a hole before it';
      throw invalidCheckpoint(path, `tensor ${JSON.stringify(tensor.name)} ${problem}`);
    }
    end += tensor.byteLength;
  }
  if (end !== fileBytes) {
    const problem = end > fileBytes ? 'is truncated or its header lies' : 'has bytes after its last tensor';
    throw invalidCheckpoint(path, `${problem}: tensors end at byte ${end}, the file at ${fileBytes}`);
  }
}

/** Infinity on overflow, which no byte length equals. */
function countElements(shape: readonly number[]): number {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (elements > Number.MAX_SAFE_INTEGER) return Number.POSITIVE_INFINITY;
  }
  return elements;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 200);
}

function readFully(fd: number, bytes: Uint8Array, position: number): boolean {
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30), position + done);
    if (count === 0) return false;
    done += count;
  }
  return true;
}
