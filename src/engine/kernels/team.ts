/** The threads that run a step together: the caller's, and helpers that sleep between steps. */

import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { spawnThread } from '../spawn-thread.js';
import { controlIntegers } from './decoder-layout.js';
import type { PassParts } from './decoder-pass.js';
import { DecoderPass } from './decoder-pass.js';
import type { KernelMemory } from './kernel-memory.js';
import { instantiateKernels } from './kernel-set.js';

export interface HelperSetup {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly parts: PassParts;
  readonly thread: number;
}

/** Index of the integer that counts steps, behind the sizes of the step. */
export const stepCounter = 3;
/** Tells helpers to end. */
export const lastStep = -1;

export class Team {
  readonly #pass: DecoderPass;
  /** Of the step, see `StepRoom`. */
  readonly #control: Int32Array;
  readonly #helpers: readonly Worker[];

  private constructor(
    module: WebAssembly.Module,
    memory: KernelMemory,
    parts: PassParts,
    helpers: readonly Worker[],
  ) {
    const kernels = instantiateKernels(module, memory.memory);
    this.#helpers = helpers;
    this.#control = memory.integers(parts.room.control, controlIntegers);
    this.#pass = new DecoderPass(parts, kernels, 0, new Int32Array(memory.memory.buffer));
  }

  /** Resolves when all threads are ready. */
  static async assemble(module: WebAssembly.Module, memory: KernelMemory, parts: PassParts): Promise<Team> {
    const helpers = Array.from({ length: parts.threads - 1 }, (_, i) => {
      const setup: HelperSetup = { module, memory: memory.memory, parts, thread: i + 1 };
      return spawnThread(new URL('./helper-thread.js', import.meta.url), `kernels ${i + 1}`, setup);
    });
    await Promise.all(helpers.map((helper) => once(helper, 'message')));
    for (const helper of helpers) helper.unref();
    return new Team(module, memory, parts, helpers);
  }

  /** Runs the step whose inputs are in the memory; blocks until it is done. */
  run(): void {
    this.#call((step) => (step + 1) & 0x7fffffff);
    this.#pass.run();
  }

  async close(): Promise<void> {
    this.#call(() => lastStep);
    await Promise.all(this.#helpers.map((helper) => helper.terminate()));
  }

  #call(next: (step: number) => number): void {
    if (this.#helpers.length === 0) return;
    Atomics.store(this.#control, stepCounter, next(this.#control[stepCounter]!));
    Atomics.notify(this.#control, stepCounter);
  }
}
