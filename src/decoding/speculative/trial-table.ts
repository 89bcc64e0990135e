/**
 * Trials and hits by a small integer, in flat memory: a hash table with open addresses whose cells are half a line of
 * the cache each, since what a look costs is the lines that it touches.
 */

/** Of a cell: its key plus one, 0 while it is free, then what was counted. */
const KEY = 0;
export const TRIALS = 1;
export const HITS = 2;
const CELL = 4;
const SMALLEST = 1024;
const FULL = 0.8;

export class TrialTable {
  size = 0;
  /** `[capacity, CELL]` */
  #cells = new Float64Array(SMALLEST * CELL);

  get cells(): Float64Array {
    return this.#cells;
  }

  /** Where the cell of a key begins in `cells`; −1 if there is none. */
  find(key: number): number {
    const at = this.#place(key);
    return this.#cells[at + KEY] === 0 ? -1 : at;
  }

  /** The same, with a cell of zeros if there was none; `cells` may be another array afterwards. */
  findOrAdd(key: number): number {
    const at = this.#place(key);
    if (this.#cells[at + KEY] !== 0) return at;
    if ((this.size + 1) * CELL > FULL * this.#cells.length) {
      this.#grow();
      return this.findOrAdd(key);
    }
    this.#cells[at + KEY] = key + 1;
    this.size++;
    return at;
  }

  /** The cell of the key, or the free one where it belongs. */
  #place(key: number): number {
    const cells = this.#cells;
    let at = (hashOf(key) * CELL) & (cells.length - 1);
    while (cells[at + KEY] !== 0 && cells[at + KEY] !== key + 1) at = (at + CELL) & (cells.length - 1);
    return at;
  }

  #grow(): void {
    const old = this.#cells;
    this.#cells = new Float64Array(2 * old.length);
    for (let at = 0; at < old.length; at += CELL) {
      if (old[at + KEY] === 0) continue;
      this.#cells.set(old.subarray(at, at + CELL), this.#place(old[at + KEY]! - 1));
    }
  }
}

function hashOf(key: number): number {
  const hash = Math.imul(key ^ (key >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
