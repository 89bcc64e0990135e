/** Puts a new key and its value into the cache, where the next step finds them. */

import type { HeadShape } from './attention-shape.js';
import { steps, v128, vectorBytes } from './wasm/code.js';
import { Kernel } from './wasm/module.js';

/** One KV head of one row. */
export function keepKernel({ headDim }: HeadShape): Kernel {
  const kernel = new Kernel('keep', ['key', 'value', 'keptKey', 'keptValue']);
  const { key, value, keptKey, keptValue } = kernel.parameters;
  return kernel.body(
    steps(4 * headDim, vectorBytes).map((place) => [
      v128.store(keptKey.get, v128.load(key.get, place), place),
      v128.store(keptValue.get, v128.load(value.get, place), place),
    ]),
  );
}
