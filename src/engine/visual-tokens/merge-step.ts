/**
 * One halving of one group of visual tokens by bipartite soft matching, as AIM runs it (arXiv 2412.03248,
 * section 3.1; the matching is that of ToMe, arXiv 2210.09461, section 3). Tokens at even places are sources,
 * those at odd places destinations; the `r` sources that are most like a destination are averaged into it.
 */

/** `rows` vectors of `width` floats, one after another. */
export interface Rows {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

export interface Matching {
  /** Sources, by their place among the sources, that are merged; most similar first. */
  readonly merged: Int32Array;
  /** The sources that are left over, most similar first. */
  readonly left: Int32Array;
  /** The destination of every source, by its place among the destinations. */
  readonly destinations: Int32Array;
}

/** Pairs the tokens of `metric`; ties go to the lower place. At most half of them can be merged at once. */
export function matchTokens(metric: Rows, wanted: number): Matching {
  const r = Math.min(wanted, Math.floor(metric.rows / 2));
  const unit = unitRows(metric);
  const { best, strength } = strongestDestinations(unit, metric.rows, metric.width);
  const order = Int32Array.from(best.keys()).sort((a, b) => strength[b]! - strength[a]! || a - b);
  return { merged: order.subarray(0, r), left: order.subarray(r), destinations: best };
}

/** The place of every token among the outputs: left-over sources first, then all destinations. */
export function outputPlaces({ merged, left, destinations }: Matching, rows: number): Int32Array {
  const places = new Int32Array(rows);
  for (let i = 1; i < rows; i += 2) places[i] = left.length + (i - 1) / 2;
  left.forEach((source, place) => {
    places[2 * source] = place;
  });
  for (const source of merged) places[2 * source] = left.length + destinations[source]!;
  return places;
}

/** The plain mean of the rows that share a place, `[outputs, width]`. Sizes of earlier merges do not count. */
export function averageByPlace({ rows, width, data }: Rows, places: Int32Array, outputs: number): Rows {
  const sums = new Float32Array(outputs * width);
  const counts = new Int32Array(outputs);
  for (let row = 0; row < rows; row++) {
    const from = row * width;
    const to = places[row]! * width;
    counts[places[row]!]!++;
    for (let c = 0; c < width; c++) sums[to + c]! += data[from + c]!;
  }
  for (let output = 0; output < outputs; output++) {
    const count = counts[output]!;
    if (count === 1) continue;
    for (let c = output * width; c < (output + 1) * width; c++) sums[c]! /= count;
  }
  return { rows: outputs, width, data: sums };
}

/** Rows of length 1. A zero row stays zero, which makes it similar to nothing instead of a NaN. */
function unitRows({ rows, width, data }: Rows): Float32Array {
  const unit = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * width;
    let square = 0;
    for (let i = row * width; i < end; i++) square += data[i]! * data[i]!;
    const norm = Math.sqrt(square);
    if (norm > 0) for (let i = row * width; i < end; i++) unit[i] = data[i]! / norm;
  }
  return unit;
}

/**
 * For each source the destination of largest cosine. Destinations are taken four at a time, so that a source row
 * is read once for four sums; every sum runs in the same order, so equal rows give equal similarities.
 */
function strongestDestinations(
  unit: Float32Array,
  rows: number,
  width: number,
): { best: Int32Array; strength: Float64Array } {
  const sources = Math.ceil(rows / 2);
  const destinations = Math.floor(rows / 2);
  const best = new Int32Array(sources);
  const strength = new Float64Array(sources).fill(Number.NEGATIVE_INFINITY);
  const offer = (source: number, destination: number, cosine: number): void => {
    if (cosine <= strength[source]!) return;
    strength[source] = cosine;
    best[source] = destination;
  };
  for (let source = 0; source < sources; source++) {
    const a = 2 * source * width;
    let destination = 0;
    for (; destination + 4 <= destinations; destination += 4) {
      const b0 = (2 * destination + 1) * width;
      const [b1, b2, b3] = [b0 + 2 * width, b0 + 4 * width, b0 + 6 * width];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let c = 0; c < width; c++) {
        const x = unit[a + c]!;
        s0 += x * unit[b0 + c]!;
        s1 += x * unit[b1 + c]!;
        s2 += x * unit[b2 + c]!;
        s3 += x * unit[b3 + c]!;
      }
      offer(source, destination, s0);
      offer(source, destination + 1, s1);
      offer(source, destination + 2, s2);
      offer(source, destination + 3, s3);
    }
    for (; destination < destinations; destination++) {
      const b = (2 * destination + 1) * width;
      let s = 0;
      for (let c = 0; c < width; c++) s += unit[a + c]! * unit[b + c]!;
      offer(source, destination, s);
    }
  }
  return { best, strength };
}
