/** Numbers for tests, the same in every run. */

/** A source of numbers in [0, 1): mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Uniform in [-scale, scale). */
export function seededFloats(seed: number, count: number, scale = 1): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: count }, () => scale * (random() * 2 - 1));
}

export function seededTokens(seed: number, count: number, vocabSize: number): number[] {
  return [...seededFloats(seed, count)].map((value) => Math.floor(((value + 1) / 2) * vocabSize));
}
