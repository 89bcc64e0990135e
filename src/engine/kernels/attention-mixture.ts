/** Sums of weighted values, a few vectors of each head at a time in registers. */

import type { TokenRows } from './attention-scores.js';
import { type Heads, headsAtOnce, partialBytes, scoreRowBytes } from './attention-shape.js';
import { type Code, f32x4, forRange, steps, v128 } from './wasm/code.js';
import type { Kernel, Local } from './wasm/module.js';

/** Vectors of the outputs of so many heads that are summed at once. */
const vectorsAtOnce = [0, 6, 4, 3, 2] as const;

/** The values of all tokens in turn, weighted by what lies in the place of scores, into the partial results. */
export function mixing(
  kernel: Kernel,
  scores: Local,
  partial: Local,
  headDim: number,
): (heads: Heads, values: readonly TokenRows[]) => Code {
  const { token, read, address } = kernel.variables('i32', 'token', 'read', 'address');
  const { value } = kernel.variables('v128', 'value');
  const weights = kernel.locals('v128', headsAtOnce);
  const outputs = kernel.locals('v128', Math.max(...vectorsAtOnce.map((width, heads) => width * heads)));

  const mixed = ({ first, count }: Heads, vector: number, values: readonly TokenRows[]): Code => {
    const width = Math.min(vectorsAtOnce[count]!, headDim / 4 - vector);
    const output = (head: number, j: number): Local => outputs[head * width + j]!;
    const used = weights.slice(0, count);
    const addToken: Code = [
      used.map((weight, i) => weight.set(v128.loadSplat32(read.get, (first + i) * scoreRowBytes))),
      steps(width, 1).map((j) => [
        value.set(v128.load(address.get, 16 * (vector + j))),
        used.map((weight, i) => output(i, j).set(f32x4.multiplyAdd(value.get, weight.get, output(i, j).get))),
      ]),
      read.advance(4),
    ];
    return [
      outputs.slice(0, count * width).map((sum) => sum.set(v128.zero)),
      read.set(scores.get),
      values.map((rows) => forRange(token, 0, rows.count.get, 1, address.set(rows.at(token.get)), addToken)),
      used.map((_, i) =>
        steps(width, 1).map((j) =>
          v128.store(partial.get, output(i, j).get, (first + i) * partialBytes(headDim) + 16 * (vector + j)),
        ),
      ),
    ];
  };
  return (heads, values) =>
    steps(headDim / 4, vectorsAtOnce[heads.count]!).map((vector) => mixed(heads, vector, values));
}
