/** A row of logits, and what is known of it without reading it. */

/** Neighbouring logits that a peak speaks for. */
export const peakRun = 64;

export interface LogitRow {
  /** `[vocab]` */
  readonly values: Float32Array;
  /** `[⌊vocab / peakRun⌋]`: the largest of each run, NaN if not all of it are finite; undefined if nobody looked. */
  readonly peaks: Float32Array | undefined;
}

/** `[rows, vocab]` with peaks `[rows, ⌊vocab / peakRun⌋]`. */
export interface Logits extends Float32Array {
  peaks?: Float32Array | undefined;
}

/** One of the rows of `logits`. */
export function logitRow(logits: Logits, row: number, vocabSize: number): LogitRow {
  const runs = Math.floor(vocabSize / peakRun);
  return {
    values: logits.subarray(row * vocabSize, (row + 1) * vocabSize),
    peaks: logits.peaks?.subarray(row * runs, (row + 1) * runs),
  };
}
