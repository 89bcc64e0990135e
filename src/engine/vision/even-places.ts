/** `count` of the places `[0, total)`, evenly spaced, each from the middle of its share; repeated if there are fewer. */
export function evenPlaces(total: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * total) / count));
}

/**
 * As vLLM and the reference sample the frames of a video: the first, the last, and evenly between, rounded down
 * (numpy's `linspace` as integers). All of them if there are no more than `count`.
 */
export function sampledFrames(total: number, count: number): number[] {
  if (total <= count) return [...Array(total).keys()];
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, i) => Math.floor((i * (total - 1)) / (count - 1)));
}
