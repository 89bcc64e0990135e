/** The few protobuf messages of ONNX that a model with external weights needs, encoded by hand. */

import type { FileHandle } from 'node:fs/promises';

export const elementTypes = { float: 1, uint8: 2, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof elementTypes;

export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  /** A string is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

export interface Node {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** A whole number becomes an INT attribute; wrap floating-point values as `{ float }`. */
  readonly attributes?: Readonly<Record<string, number | { readonly float: number }>>;
  readonly domain?: string;
}

/** Collects tensors: small ones inside the model, the others appended to the external data file. */
export class OnnxTensors {
  readonly encoded: Buffer[] = [];
  readonly #file: FileHandle;
  readonly #fileName: string;
  #offset = 0;

  constructor(file: FileHandle, fileName: string) {
    this.#file = file;
    this.#fileName = fileName;
  }

  addInline(name: string, type: ElementType, shape: readonly number[], data: ArrayBufferView): void {
    this.encoded.push(bytes(5, tensorHead(name, type, shape), bytes(9, asBuffer(data))));
  }

  async addExternal(
    name: string,
    type: ElementType,
    shape: readonly number[],
    pieces: Iterable<Uint8Array>,
  ): Promise<void> {
    const start = this.#offset;
    for (const piece of pieces) {
      await this.#file.write(piece);
      this.#offset += piece.length;
    }
    const location = { location: this.#fileName, offset: `${start}`, length: `${this.#offset - start}` };
    const entries = Object.entries(location).map(([key, value]) => bytes(13, text(1, key), text(2, value)));
    this.encoded.push(bytes(5, tensorHead(name, type, shape), ...entries, integer(14, 1)));
    const padding = (64 - (this.#offset % 64)) % 64;
    await this.#file.write(Buffer.alloc(padding));
    this.#offset += padding;
  }
}

export function encodeModel(
  nodes: readonly Node[],
  tensors: OnnxTensors,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
): Buffer {
  const graph = bytes(
    7,
    ...nodes.map((node) => bytes(1, encodeNode(node))),
    text(2, 'decoder'),
    ...tensors.encoded,
    ...inputs.map((value) => bytes(11, encodeValue(value))),
    ...outputs.map((value) => bytes(12, encodeValue(value))),
  );
  const opset = (domain: string, version: number) => bytes(8, text(1, domain), integer(2, version));
  return Buffer.concat([integer(1, 9), graph, opset('', 18), opset('com.microsoft', 1)]);
}

function encodeNode(node: Node): Buffer {
  return Buffer.concat([
    ...node.inputs.map((name) => text(1, name)),
    ...node.outputs.map((name) => text(2, name)),
    text(3, node.name),
    text(4, node.op),
    ...Object.entries(node.attributes ?? {}).map(([name, value]) =>
      typeof value === 'number'
        ? bytes(5, text(1, name), integer(3, value), integer(20, 2))
        : bytes(5, text(1, name), float(2, value.float), integer(20, 1)),
    ),
    text(7, node.domain ?? ''),
  ]);
}

function encodeValue({ name, type, shape }: ValueInfo): Buffer {
  const dimensions = shape.map((size) =>
    bytes(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  );
  const tensorType = bytes(1, integer(1, elementTypes[type]), bytes(2, ...dimensions));
  return Buffer.concat([text(1, name), bytes(2, tensorType)]);
}

function tensorHead(name: string, type: ElementType, shape: readonly number[]): Buffer {
  return Buffer.concat([
    ...shape.map((size) => integer(1, size)),
    integer(2, elementTypes[type]),
    text(8, name),
  ]);
}

const varintField = 0;
const bytesField = 2;
const fixed32Field = 5;

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8 + varintField), varint(value)]);
}

function float(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8 + fixed32Field), asBuffer(Float32Array.of(value))]);
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value));
}

function bytes(field: number, ...parts: Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([varint(field * 8 + bytesField), varint(length), ...parts]);
}

/** Least significant seven bits first; negative numbers as 64-bit two's complement. */
function varint(value: number): Buffer {
  const digits: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) digits.push(Number(rest & 127n) | 128);
  return Buffer.from([...digits, Number(rest)]);
}

export function asBuffer(values: ArrayBufferView): Buffer {
  return Buffer.from(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}
