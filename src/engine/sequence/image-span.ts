/** Where the rows of images stand in a prompt. The ids there are placeholders, which say nothing of the image. */

import { TrimtabError } from '../../core/errors.js';
import type { EmbeddedRows } from '../runner/runner.js';
import type { SeenVisual } from '../vision/vision.js';

type SeenRows = Pick<SeenVisual, 'key' | 'tokenId' | 'rows'>;

export interface ImageSpan {
  /** Position of the first of `length` placeholders in a row. */
  readonly start: number;
  readonly length: number;
  /** Names the rows: which image, how it was looked at and reduced, and where in it the span begins. */
  readonly key: string;
  /** `[length, width]` */
  readonly rows: Float32Array;
}

/**
 * Gives every image or video token its row: what has the same token in order, one after another, a new span wherever
 * other tokens stand between. `width` is that of a row. In the order of the prompt.
 * @throws {TrimtabError} invalid_request when there are more or fewer image tokens than rows
 */
export function imageSpans(ids: readonly number[], images: readonly SeenRows[], width: number): ImageSpan[] {
  const tokens = [...new Set(images.map(({ tokenId }) => tokenId))];
  return tokens
    .flatMap((token) =>
      spansOfToken(
        ids,
        token,
        images.filter(({ tokenId }) => tokenId === token),
        width,
      ),
    )
    .sort((a, b) => a.start - b.start);
}

function spansOfToken(
  ids: readonly number[],
  token: number,
  images: readonly SeenRows[],
  width: number,
): ImageSpan[] {
  const places = ids.flatMap((id, position) => (id === token ? [position] : []));
  const expected = images.reduce((sum, { rows }) => sum + rows.length / width, 0);
  if (places.length !== expected) {
    const problem = `the prompt has ${places.length} image tokens for ${expected} rows of images`;
    throw new TrimtabError('invalid_request', `messages: ${problem}`, { param: 'messages' });
  }
  let next = 0;
  return images.flatMap((image) => {
    const own = places.slice(next, next + image.rows.length / width);
    next += own.length;
    return spansOf(own, image, width);
  });
}

/** One span per run of neighbouring places. */
function spansOf(places: readonly number[], { key, rows }: SeenRows, width: number): ImageSpan[] {
  const starts = places.flatMap((place, i) => (i === 0 || places[i - 1] !== place - 1 ? [i] : []));
  return starts.map((first, i) => {
    const end = starts[i + 1] ?? places.length;
    const part = rows.subarray(first * width, end * width);
    return { start: places[first]!, length: end - first, key: `${key}+${first}`, rows: part };
  });
}

/** The rows of spans among the tokens `[from, from + count)`, which go into the flat rows from `firstRow` on. */
export function embeddedRows(
  spans: readonly ImageSpan[],
  from: number,
  count: number,
  firstRow = 0,
): EmbeddedRows[] {
  return overlaps(spans, from, from + count).map(({ span, begin, end }) => {
    const width = span.rows.length / span.length;
    const values = span.rows.subarray((begin - span.start) * width, (end - span.start) * width);
    return { firstRow: firstRow + begin - from, values };
  });
}

/** What the placeholders among `[from, to)` stand for, as text for a hash; empty if there are none. */
export function spanNames(spans: readonly ImageSpan[], from: number, to: number): string {
  return overlaps(spans, from, to)
    .map(({ span, begin, end }) => `${begin - from}:${end - begin}:${span.key}:${begin - span.start};`)
    .join('');
}

function overlaps(spans: readonly ImageSpan[], from: number, to: number) {
  return spans.flatMap((span) => {
    const begin = Math.max(from, span.start);
    const end = Math.min(to, span.start + span.length);
    return begin < end ? [{ span, begin, end }] : [];
  });
}
