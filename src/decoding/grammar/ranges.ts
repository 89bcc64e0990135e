/** Sets of numbers (bytes, code points) as inclusive ranges, ascending and apart. */

export type Range = readonly [low: number, high: number];
export type ByteRange = Range;

const LAST_CODE_POINT = 0x10ffff;
/** Halves of UTF-16 pairs, which no text contains on their own. */
export const surrogates: Range = [0xd800, 0xdfff];

/** Sorts, and joins what overlaps or touches. */
export function joinRanges(ranges: readonly Range[]): Range[] {
  const joined: [number, number][] = [];
  for (const [low, high] of [...ranges].sort((x, y) => x[0] - y[0])) {
    const last = joined.at(-1);
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

/** What is in `ranges` and not in `removed`. */
export function subtractRanges(ranges: readonly Range[], removed: readonly Range[]): Range[] {
  return joinRanges(removed).reduce<Range[]>(
    (rest, [low, high]) =>
      rest.flatMap((range): Range[] => {
        const left: Range = [range[0], Math.min(range[1], low - 1)];
        const right: Range = [Math.max(range[0], high + 1), range[1]];
        return [left, right].filter(([from, to]) => from <= to);
      }),
    joinRanges(ranges),
  );
}

export const allCodePoints: readonly Range[] = subtractRanges([[0, LAST_CODE_POINT]], [surrogates]);

export function complement(ranges: readonly Range[]): Range[] {
  return subtractRanges(allCodePoints, ranges);
}
