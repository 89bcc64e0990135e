/**
 * The external weight file of a compiled model: every stored tensor at an aligned offset, written in one
 * streaming pass over the checkpoint. Only a chunk of rows is ever in memory as float32.
 */

import { writeSync } from 'node:fs';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { invalidCheckpoint } from '../checkpoint/files.js';
import { rowWidth } from '../checkpoint/safetensors.js';
import type { Matrix, RowSlice, StoredTensor } from '../graph/ir.js';
import type { Placement } from '../graph/onnx-writer.js';
import { blocksPerRow, bytesPerBlock, quantizeRows } from '../quantization/block-quantizer.js';

/** Lets the runtime map each tensor from the file. */
const alignment = 4096;
const chunkFloats = 1 << 20;
const elementBytes = { float32: 4, int32: 4, int64: 8, uint8: 1, bool: 1 } as const;

/** What is needed of a checkpoint: rows of its tensors as float32; a vector has rows of width 1. */
export type RowReader = Pick<Checkpoint, 'tensor' | 'readRows'>;

export interface WeightLayout {
  readonly placements: ReadonlyMap<string, Placement>;
  readonly totalBytes: number;
}

/** Offsets in the order of `tensors`; depends on nothing else, so that every variant agrees on them. */
export function layOut(tensors: Iterable<StoredTensor>): WeightLayout {
  const placements = new Map<string, Placement>();
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    const length = shape.reduce((product, size) => product * size, elementBytes[dtype]);
    placements.set(name, { offset, length });
    offset += Math.ceil(length / alignment) * alignment;
  }
  return { placements, totalBytes: offset };
}

export function writeWeights(
  fd: number,
  tensors: readonly StoredTensor[],
  { placements }: WeightLayout,
  reader: RowReader,
  onBytes: (written: number) => void,
): void {
  for (const tensor of tensors) {
    const { source, name } = tensor;
    const { offset, length } = placements.get(name)!;
    if (source.kind === 'float32') writeFloats(fd, source.slices, offset, reader);
    if (source.kind === 'packed') writeBlocks(fd, tensor, placements, reader, source);
    onBytes(length);
  }
}

function writeFloats(fd: number, slices: readonly RowSlice[], offset: number, reader: RowReader): void {
  let position = offset;
  for (const chunk of slices.flatMap((slice) => chunksOf(slice, reader))) {
    const values = readSlice(chunk, reader);
    writeAll(fd, values, position);
    position += values.byteLength;
  }
}

/** Codes and scales come from one reading of the rows; the scales lie under the sibling name. */
function writeBlocks(
  fd: number,
  tensor: StoredTensor,
  placements: WeightLayout['placements'],
  reader: RowReader,
  { bits, matrix }: { bits: 4 | 8; matrix: Matrix },
): void {
  const blocks = blocksPerRow(matrix.columns);
  let packedAt = placements.get(tensor.name)!.offset;
  let scalesAt = placements.get(tensor.name.replace(/\.packed$/, '.scales'))!.offset;
  for (const chunk of matrix.slices.flatMap((slice) => chunksOf(slice, reader))) {
    const packed = new Uint8Array(chunk.count * blocks * bytesPerBlock(bits));
    const scales = new Float32Array(chunk.count * blocks);
    quantizeRows(readSlice(chunk, reader), chunk.count, matrix.columns, bits, { packed, scales });
    packedAt += writeAll(fd, packed, packedAt);
    scalesAt += writeAll(fd, scales, scalesAt);
  }
}

function chunksOf({ tensor, first, count }: RowSlice, reader: RowReader): RowSlice[] {
  const most = Math.max(1, Math.floor(chunkFloats / rowWidth(reader.tensor(tensor))));
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => ({
    tensor,
    first: first + i * most,
    count: Math.min(most, count - i * most),
  }));
}

function readSlice({ tensor, first, count }: RowSlice, reader: RowReader): Float32Array {
  const info = reader.tensor(tensor);
  const values = reader.readRows(info, first, count);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!))
      throw invalidCheckpoint(info.file, `tensor ${tensor} holds ${values[i]}`);
  }
  return values;
}

function writeAll(fd: number, data: Uint8Array | Float32Array, position: number): number {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
  return bytes.length;
}
