/** Reads rows of bf16 tensors from a safetensors file as float32, so that converters need little memory. */

import { closeSync, openSync, readSync } from 'node:fs';

interface Entry {
  readonly shape: readonly number[];
  readonly data_offsets: readonly [from: number, to: number];
}

export class CheckpointRows {
  readonly #file: number;
  readonly #entries: Readonly<Record<string, Entry>>;
  readonly #dataStart: number;

  constructor(path: string) {
    this.#file = openSync(path, 'r');
    const headerLength = Number(this.#read(0, 8).readBigUInt64LE());
    this.#entries = JSON.parse(this.#read(8, headerLength).toString('utf8'));
    this.#dataStart = 8 + headerLength;
  }

  /** `[rows, columns]`; a vector counts as one row. */
  shape(name: string): readonly [rows: number, columns: number] {
    const [first, second] = this.#entries[name]!.shape;
    return second === undefined ? [1, first!] : [first!, second];
  }

  /** Rows `[from, to)`, row-major. */
  rows(name: string, from: number, to: number): Float32Array {
    const [, columns] = this.shape(name);
    const start = this.#dataStart + this.#entries[name]!.data_offsets[0] + 2 * from * columns;
    const bytes = this.#read(start, 2 * (to - from) * columns);
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const floats = new Uint32Array(halves.length);
    for (let i = 0; i < halves.length; i++) floats[i] = halves[i]! << 16;
    return new Float32Array(floats.buffer);
  }

  /** The whole tensor in consecutive pieces of whole rows, about `elements` values each. */
  *pieces(name: string, elements = 1 << 22): Generator<Float32Array> {
    const [rows, columns] = this.shape(name);
    const step = Math.max(1, Math.floor(elements / columns));
    for (let from = 0; from < rows; from += step) yield this.rows(name, from, Math.min(rows, from + step));
  }

  close(): void {
    closeSync(this.#file);
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.from(new ArrayBuffer(length));
    for (let done = 0; done < length; ) {
      const count = readSync(this.#file, bytes, done, length - done, position + done);
      if (count === 0) throw new Error(`unexpected end of file at byte ${position + done}`);
      done += count;
    }
    return bytes;
  }
}
