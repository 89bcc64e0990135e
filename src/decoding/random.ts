/**
 * Random numbers that depend on where they are used and on nothing else: the same request gives the same
 * tokens whatever shares its batch, and a rejected draft leaves no trace. The generator is Philox4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.3).
 */

import { getRandomValues } from 'node:crypto';

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;

export type Words4 = [number, number, number, number];

/** High half of the 64-bit product of two unsigned 32-bit words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** One block: four 32-bit words from a 128-bit counter and a 64-bit key. */
export function philox4x32(counter: Readonly<Words4>, key0: number, key1: number): Words4 {
  let [c0, c1, c2, c3] = counter;
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The random numbers of one choice of one request. */
export class RandomStream {
  readonly #key0: number;
  readonly #key1: number;

  /** `seed` is any integer that fits in 64 bits (negative ones wrap); `choice` counts from 0. */
  constructor(
    seed: number,
    private readonly choice: number,
  ) {
    const bits = BigInt.asUintN(64, BigInt(Math.trunc(seed)));
    this.#key0 = Number(bits & 0xffffffffn);
    this.#key1 = Number(bits >> 32n);
  }

  /** Uniform in [0, 1) with 53 bits, for the output token at `position` (0 is the first). */
  uniform(position: number): number {
    const [high, low] = philox4x32([position >>> 0, this.choice >>> 0, 0, 0], this.#key0, this.#key1);
    return ((high >>> 5) * 0x4000000 + (low >>> 6)) / 0x20000000000000;
  }
}

/** A seed for a request that did not bring one. */
export function randomSeed(): number {
  const words = getRandomValues(new Uint32Array(2));
  return (words[0]! >>> 11) * 0x100000000 + words[1]!;
}
