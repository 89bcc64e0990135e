/**
 * WebAssembly instructions as functions: each takes the code of its operands and gives the code of the result, so
 * that a kernel reads as the formula it computes. Only what the kernels use is here; numbers are those of the
 * WebAssembly specification (core, SIMD, threads, relaxed SIMD).
 */

/** Bytes of instructions, nested as they were put together. */
export type Code = readonly (number | Code)[];
/** Of an instruction on integers; a number stands for the constant. */
export type Operand = Code | number;

export type ValueType = 'i32' | 'f32' | 'v128';

export const vectorBytes = 16;

/** 0, by, 2 · by, … below `end`: the turns of a loop that is written out. */
export const steps = (end: number, by: number): number[] =>
  Array.from({ length: Math.ceil(end / by) }, (_, i) => i * by);

/** LEB128, unsigned. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 128);
  }
}

/** LEB128, signed. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7) {
    if (rest >= -64 && rest < 64) return [...bytes, rest & 127];
    bytes.push((rest & 127) | 128);
  }
}

const simd = (op: number): number[] => [0xfd, ...unsigned(op)];
const operand = (value: Operand): Code => (typeof value === 'number' ? [0x41, signed(value)] : value);
const unary =
  (...op: number[]) =>
  (a: Code): Code => [a, op];
const integers =
  (...op: number[]) =>
  (a: Operand, b: Operand): Code => [operand(a), operand(b), op];
const binary =
  (...op: number[]) =>
  (a: Code, b: Code): Code => [a, b, op];
const ternary =
  (...op: number[]) =>
  (a: Code, b: Code, c: Code): Code => [a, b, c, op];
/** The alignment is a hint; all accesses may be unaligned. */
const load =
  (op: readonly number[], alignment: number) =>
  (address: Operand, offset = 0): Code => [operand(address), op, unsigned(alignment), unsigned(offset)];
const store =
  (op: readonly number[], alignment: number) =>
  (address: Operand, value: Operand, offset = 0): Code => [
    operand(address),
    operand(value),
    op,
    unsigned(alignment),
    unsigned(offset),
  ];
const floatBytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];

export const i32 = {
  const: operand,
  add: integers(0x6a),
  sub: integers(0x6b),
  mul: integers(0x6c),
  and: integers(0x71),
  shl: integers(0x74),
  eq: integers(0x46),
  lessThan: integers(0x48),
  /** Both operands are read twice. */
  min: (a: Operand, b: Operand): Code => [operand(a), operand(b), i32.lessThan(a, b), 0x1b],
  load: load([0x28], 2),
  store: store([0x36], 2),
  atomicLoad: load([0xfe, 0x10], 2),
  atomicStore: store([0xfe, 0x17], 2),
  /** The value before. */
  atomicAdd: store([0xfe, 0x1e], 2),
  /** Address and count; how many were woken. */
  notify: store([0xfe, 0x00], 2),
};

export const f32 = {
  const: (value: number): Code => [0x43, floatBytes(value)],
  add: binary(0x92),
  mul: binary(0x94),
  div: binary(0x95),
  max: binary(0x97),
  sqrt: unary(0x91),
  fromSigned: unary(0xb2),
  store: store([0x38], 2),
};

export const v128 = {
  load: load(simd(0x00), 4),
  /** Four bytes, repeated. */
  loadSplat32: load(simd(0x09), 2),
  store: store(simd(0x0b), 4),
  /** One of the two halves. */
  storeLane64: (address: Operand, value: Code, lane: number, offset = 0): Code => [
    operand(address),
    value,
    simd(0x5b),
    unsigned(3),
    unsigned(offset),
    lane,
  ],
  and: binary(...simd(0x4e)),
  zero: [...simd(0x0c), ...Array<number>(16).fill(0)] as Code,
  bytes: (bytes: readonly number[]): Code => [...simd(0x0c), ...bytes],
  /** 16 bytes chosen from the 32 of a and b. */
  shuffle: (a: Code, b: Code, bytes: readonly number[]): Code => [a, b, simd(0x0d), bytes],
  /** The bytes moved down by so many places, those at the bottom back to the top; the value is read twice. */
  rotate: (a: Code, places: number): Code =>
    v128.shuffle(
      a,
      a,
      Array.from({ length: 16 }, (_, i) => (i + places) % 16),
    ),
};

export const i8x16 = { narrow: binary(...simd(0x65)) };

export const i16x8 = {
  add: binary(...simd(0x8e)),
  shiftRight: (a: Code, bits: number): Code => [a, operand(bits), simd(0x8d)],
  narrow: binary(...simd(0x85)),
  /** Sums of two neighbouring products of signed bytes and seven-bit bytes. */
  dotBytes: binary(...simd(0x112)),
};

export const i32x4 = {
  lane: (a: Code, lane: number): Code => [a, simd(0x1b), lane],
  add: binary(...simd(0xae)),
  shiftLeft: (a: Code, bits: number): Code => [a, operand(bits), simd(0xab)],
  max: binary(...simd(0xb8)),
  /** Sums of two neighbouring products. */
  dotShorts: binary(...simd(0xba)),
  /** Of floats that are integers; of what is none, some integer. */
  fromFloats: unary(...simd(0x101)),
};

export const f32x4 = {
  splat: unary(...simd(0x13)),
  const: (value: number): Code => v128.bytes(Array<number[]>(4).fill(floatBytes(value)).flat()),
  lane: (a: Code, lane: number): Code => [a, simd(0x1f), lane],
  add: binary(...simd(0xe4)),
  sub: binary(...simd(0xe5)),
  mul: binary(...simd(0xe6)),
  div: binary(...simd(0xe7)),
  /** The larger, or the smaller; of a number that is none, the first operand. */
  max: binary(...simd(0xeb)),
  min: binary(...simd(0xea)),
  abs: unary(...simd(0xe0)),
  neg: unary(...simd(0xe1)),
  /** To the nearest integer, ties to even. */
  nearest: unary(...simd(0x6a)),
  fromSigned: unary(...simd(0xfa)),
  /** a · b + c, rounded once where the machine can. */
  multiplyAdd: ternary(...simd(0x105)),
};

/** What a loop counts with. */
export interface Variable {
  readonly get: Code;
  set(value: Operand): Code;
  advance(by: Operand): Code;
}

const noResult = 0x40;
/** Repeats the body while the condition that follows it holds; runs at least once. */
export const loop = (body: Code, condition: Code): Code => [0x03, noResult, body, condition, 0x0d, 0, 0x0b];
/** Runs the body if the condition holds. */
export const when = (condition: Code, ...body: Code[]): Code => [condition, 0x04, noResult, body, 0x0b];
/** The body for every value of a variable from `start` up to and without `end`. */
export const forRange = (
  variable: Variable,
  start: Operand,
  end: Operand,
  step: number,
  ...body: Code[]
): Code => [
  variable.set(operand(start)),
  when(
    i32.lessThan(variable.get, end),
    loop([...body, variable.advance(step)], i32.lessThan(variable.get, end)),
  ),
];
/**
 * The parts in turn, each compiled for itself: of a straight line V8 would put all loads first, and run out of
 * registers. `even` holds even numbers only, so that the exits between the parts are never taken.
 */
export const apart = (even: Variable, parts: readonly Code[]): Code => [
  [0x02, noResult],
  parts.map((part, i) => [part, i32.eq(even.get, 2 * i + 1), 0x0d, 0]),
  0x0b,
];
/** Ends the call with an error. */
export const trap: Code = [0x00];
export const drop = (value: Code): Code => [value, 0x1a];
/** Waits for a notification at the address while it holds the value, at most `nanoseconds`. */
export const waitWhile = (address: Operand, value: Operand, nanoseconds: number): Code =>
  drop([operand(address), operand(value), [0x42, signed(nanoseconds)], [0xfe, 0x01, 2, 0]]);
