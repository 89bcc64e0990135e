/**
 * eˣ of four floats, within two units in the last place: 2ⁿ · p(r) with n the nearest integer to x / ln 2 and r the
 * rest, |r| ≤ ln 2 / 2, for which a polynomial of degree six is enough. Cody and Waite's two parts of ln 2 keep r exact.
 */

import { type Code, f32x4, i32x4 } from './wasm/code.js';
import type { Kernel } from './wasm/module.js';

/** Beyond these the result is no ordinary number any more. */
const [smallest, largest] = [-87, 88];
const [ln2High, ln2Low] = [0.693359375, -2.1219444e-4];
/** 1/6!, …, 1/1!, 1. */
const coefficients = [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];
const exponentBits = 23;
/** A sum with this number is rounded to an integer, which its lowest bits hold. */
const rounder = 1.5 * 2 ** exponentBits;

export function exponential(kernel: Kernel): (x: Code) => Code {
  const { rest, rounded, power } = kernel.variables('v128', 'rest', 'rounded', 'power');
  const horner = coefficients
    .slice(1)
    .reduce<Code>(
      (sum, c) => f32x4.multiplyAdd(sum, rest.get, f32x4.const(c)),
      f32x4.const(coefficients[0]!),
    );
  return (x) => [
    rest.set(f32x4.min(f32x4.max(x, f32x4.const(smallest)), f32x4.const(largest))),
    rounded.set(f32x4.multiplyAdd(rest.get, f32x4.const(Math.LOG2E), f32x4.const(rounder))),
    power.set(f32x4.sub(rounded.get, f32x4.const(rounder))),
    rest.set(f32x4.multiplyAdd(power.get, f32x4.const(-ln2High), rest.get)),
    rest.set(f32x4.multiplyAdd(power.get, f32x4.const(-ln2Low), rest.get)),
    // Adding n to the exponent multiplies by 2ⁿ.
    i32x4.add(horner, i32x4.shiftLeft(rounded.get, exponentBits)),
  ];
}
