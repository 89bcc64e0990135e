/** The kernels for a shape over a memory of their own, with places for numbers. */

import type { DecoderConfig } from '../../src/engine/checkpoint/decoder-config.js';
import { KernelMemory } from '../../src/engine/kernels/kernel-memory.js';
import { compileKernels, instantiateKernels, type KernelSet } from '../../src/engine/kernels/kernel-set.js';

type Shape = Pick<DecoderConfig, 'heads' | 'kvHeads' | 'headDim' | 'rmsNormEps'>;

export class LoadedKernels {
  readonly memory = new KernelMemory();
  readonly call: KernelSet;

  constructor({ heads = 2, kvHeads = 1, headDim = 8, rmsNormEps = 1e-5 }: Partial<Shape> = {}) {
    const module = compileKernels({ heads, kvHeads, headDim, rmsNormEps } as DecoderConfig);
    if (module === undefined) throw new Error('this engine has no relaxed SIMD');
    this.call = instantiateKernels(module, this.memory.memory);
  }

  /** The address of a copy of the values. */
  put(values: Float32Array | Int32Array): number {
    const address = this.memory.take(values.byteLength);
    const place =
      values instanceof Float32Array
        ? this.memory.floats(address, values.length)
        : this.memory.integers(address, values.length);
    place.set(values);
    return address;
  }

  room(floats: number): number {
    return this.memory.take(4 * floats);
  }

  floats(address: number, count: number): Float32Array {
    return this.memory.floats(address, count).slice();
  }
}
