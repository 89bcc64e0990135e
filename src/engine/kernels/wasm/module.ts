/** Functions over one imported shared memory, encoded as a WebAssembly module. */

import type { Code, Operand, ValueType, Variable } from './code.js';
import { i32, unsigned } from './code.js';

const typeBytes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
const sharedWithMaximum = 3;
/** 4 GiB, as much as 32-bit addresses reach. */
export const mostPages = 65536;
export const pageBytes = 65536;

/** A parameter or variable of a function. */
export class Local implements Variable {
  readonly type: ValueType;
  readonly #index: number;

  constructor(type: ValueType, index: number) {
    this.type = type;
    this.#index = index;
  }

  get get(): Code {
    return [0x20, unsigned(this.#index)];
  }

  set(value: Operand): Code {
    return [i32.const(value), 0x21, unsigned(this.#index)];
  }

  advance(by: Operand): Code {
    return this.set(i32.add(this.get, by));
  }
}

/** A function without a result; its parameters are integers. */
export class Kernel<Name extends string = string> {
  readonly name: string;
  readonly parameters: Readonly<Record<Name, Local>>;
  readonly #parameterCount: number;
  readonly #locals: Local[] = [];
  #body: Code = [];

  constructor(name: string, parameters: readonly Name[]) {
    this.name = name;
    this.#parameterCount = parameters.length;
    const entries = parameters.map((parameter, i) => [parameter, new Local('i32', i)]);
    this.parameters = Object.fromEntries(entries);
  }

  local(type: ValueType): Local {
    const local = new Local(type, this.#parameterCount + this.#locals.length);
    this.#locals.push(local);
    return local;
  }

  locals(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  /** Locals by name. */
  variables<V extends string>(type: ValueType, ...names: V[]): Readonly<Record<V, Local>> {
    const entries = names.map((variable) => [variable, this.local(type)]);
    return Object.fromEntries(entries);
  }

  body(...code: Code[]): this {
    this.#body = code;
    return this;
  }

  get signature(): number[] {
    return [0x60, ...list(Array.from({ length: this.#parameterCount }, () => [typeBytes.i32])), 0];
  }

  encode(): number[] {
    const locals = list(this.#locals.map(({ type }) => [1, typeBytes[type]]));
    const bytes = [...locals, ...flat(this.#body), 0x0b];
    return [...unsigned(bytes.length), ...bytes];
  }
}

/** A module that exports the kernels by name and imports its memory as `host.memory`. */
export function encodeModule(kernels: readonly Kernel[]): Uint8Array<ArrayBuffer> {
  const memory = [
    ...name('host'),
    ...name('memory'),
    2,
    sharedWithMaximum,
    ...unsigned(1),
    ...unsigned(mostPages),
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list(kernels.map((kernel) => kernel.signature))),
    ...section(2, list([memory])),
    ...section(3, list(kernels.map((_, i) => unsigned(i)))),
    ...section(7, list(kernels.map((kernel, i) => [...name(kernel.name), 0, ...unsigned(i)]))),
    ...section(10, list(kernels.map((kernel) => kernel.encode()))),
  ]);
}

const section = (id: number, bytes: number[]): number[] => [id, ...unsigned(bytes.length), ...bytes];
const list = (items: number[][]): number[] => [...unsigned(items.length), ...items.flat()];
const name = (text: string): number[] => list([...Buffer.from(text)].map((byte) => [byte]));

const flat = (code: Code): number[] =>
  code.flatMap((part) => (typeof part === 'number' ? [part] : flat(part)));
