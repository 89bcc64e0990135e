/** One of the threads of a step: its kernels, its share of the work, and its meetings with the others. */

import type { StepRoom } from './decoder-layout.js';
import type { KernelSet } from './kernel-set.js';

/** Rows that every thread works on by itself, since that is quicker than a meeting. */
const fewRows = 1;

export class PassThread {
  readonly kernels: KernelSet;
  readonly index: number;
  readonly #count: number;
  readonly #meeting: number;
  readonly #integers: Int32Array;

  /** `integers` are those of the shared memory, from its beginning on. */
  constructor(kernels: KernelSet, index: number, count: number, room: StepRoom, integers: Int32Array) {
    this.kernels = kernels;
    this.index = index;
    this.#count = count;
    this.#meeting = room.meeting;
    this.#integers = integers;
  }

  integer(address: number, index = 0): number {
    return this.#integers[(address >> 2) + index]!;
  }

  /** Of `count` things, those from the first number up to the second. */
  share(count: number): readonly [number, number] {
    const { index } = this;
    return [Math.floor((count * index) / this.#count), Math.floor((count * (index + 1)) / this.#count)];
  }

  /** The share of work on whole rows: of few rows all of them, which threads then write twice alike. */
  rowShare(rows: number): readonly [number, number] {
    return rows <= fewRows ? [0, rows] : this.share(rows);
  }

  /** Returns when all threads are here. */
  meet(): void {
    if (this.#count > 1) this.kernels.meet(this.#meeting, this.#count);
  }

  /** After work in shares of rows. */
  meetAbout(rows: number): void {
    if (rows > fewRows) this.meet();
  }
}
