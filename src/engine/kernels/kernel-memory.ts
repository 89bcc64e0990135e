/**
 * The memory that all kernels and threads share: what is taken once (weights, room for a step) at the bottom, the
 * slab of keys and values behind it, growing to the end. Pages that were never written take no memory.
 */

import { mostPages, pageBytes } from './wasm/module.js';

const alignment = 64;

export class KernelMemory {
  readonly memory: WebAssembly.Memory;
  /** Address 0 is never used. */
  #taken = alignment;

  /** @throws {RangeError} where the process may not reserve 4 GiB of addresses */
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: mostPages, shared: true });
  }

  /** Bytes that the slab can have. */
  get roomForSlab(): number {
    return mostPages * pageBytes - this.#taken;
  }

  /** The address of so many bytes of zeros. Nothing is taken any more once the slab exists. */
  take(bytes: number): number {
    const address = this.#taken;
    this.#taken += Math.ceil(bytes / alignment) * alignment;
    this.#reach(this.#taken);
    return address;
  }

  bytes(address: number, count: number): Uint8Array<SharedArrayBuffer> {
    return new Uint8Array(this.memory.buffer, address, count);
  }

  integers(address: number, count: number): Int32Array<SharedArrayBuffer> {
    return new Int32Array(this.memory.buffer, address, count);
  }

  floats(address: number, count: number): Float32Array<SharedArrayBuffer> {
    return new Float32Array(this.memory.buffer, address, count);
  }

  /** At least so many floats of the slab, always from the same address on. */
  slab(count: number): Float32Array<SharedArrayBuffer> {
    this.#reach(this.#taken + 4 * count);
    return this.floats(this.#taken, count);
  }

  #reach(end: number): void {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / pageBytes);
    if (missing > 0) this.memory.grow(missing);
  }
}
