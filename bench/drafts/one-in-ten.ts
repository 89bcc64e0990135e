/** Decides one time after the other whether a caller's guess is wrong there: one in ten, each by itself. */

/** The number that was drawn on a hit, undefined otherwise; the same sequence for every caller. */
export function oneInTen(): () => number | undefined {
  let state = 7;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8 < 0.1 * 2 ** 24 ? state : undefined;
  };
}

/** An answer as a caller's guess might have it. */
export function guessedTokens(answer: readonly number[]): number[] {
  const draw = oneInTen();
  return answer.map((token) => {
    const hit = draw();
    return hit === undefined ? token : 31_000 + (hit % 900);
  });
}
