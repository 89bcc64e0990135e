/**
 * Top-k: the k largest logits and everything that ties with the last of them (as vLLM and transformers).
 * Expressed as a threshold, so that the vocabulary is neither sorted nor copied.
 */

import { firstAbove } from '../argmax.js';

/** Up to this size a heap over the vocabulary beats selection on a copy of it. */
const HEAP_LIMIT = 1024;

export class TopKThreshold {
  readonly #heap = new Float32Array(HEAP_LIMIT);
  readonly #copy: Float32Array;

  constructor(vocabSize: number) {
    this.#copy = new Float32Array(vocabSize);
  }

  /** The k-th largest logit; −Infinity when k is 0 or covers the vocabulary, which keeps all tokens. */
  find(logits: Float32Array, k: number): number {
    if (k <= 0 || k >= logits.length) return Number.NEGATIVE_INFINITY;
    return k <= HEAP_LIMIT ? this.#byHeap(logits, k) : this.#bySelection(logits, k);
  }

  /** Fast path for small k: a min-heap of the k best so far, whose root is the answer at the end. */
  #byHeap(logits: Float32Array, k: number): number {
    const heap = this.#heap;
    for (let id = 0; id < k; id++) heap[id] = logits[id]!;
    for (let at = (k >> 1) - 1; at >= 0; at--) siftDown(heap, at, k);
    const next = (from: number): number => firstAbove(logits, from, heap[0]!);
    for (let id = next(k); id < logits.length; id = next(id + 1)) {
      heap[0] = logits[id]!;
      siftDown(heap, 0, k);
    }
    return heap[0]!;
  }

  #bySelection(logits: Float32Array, k: number): number {
    const values = this.#copy.subarray(0, logits.length);
    values.set(logits);
    return selectAscending(values, values.length - k);
  }
}

function siftDown(heap: Float32Array, from: number, size: number): void {
  const value = heap[from]!;
  let at = from;
  for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}

/** The value that would stand at `rank` if `values` were sorted (Hoare's quickselect, three-way, in place). */
function selectAscending(values: Float32Array, rank: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = medianOfThree(values[low]!, values[(low + high) >> 1]!, values[high]!);
    const [less, greater] = partition(values, low, high, pivot);
    if (rank < less) high = less - 1;
    else if (rank > greater) low = greater + 1;
    else return pivot;
  }
  return values[rank]!;
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/** Reorders `low..high` into smaller, equal, larger; returns the first and last place of the equal ones. */
function partition(values: Float32Array, low: number, high: number, pivot: number): [number, number] {
  let less = low;
  let greater = high;
  for (let at = low; at <= greater; ) {
    const value = values[at]!;
    if (value < pivot) {
      values[at++] = values[less]!;
      values[less++] = value;
    } else if (value > pivot) {
      values[at] = values[greater]!;
      values[greater--] = value;
    } else at++;
  }
  return [less, greater];
}
