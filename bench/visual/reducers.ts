/** Ways to leave fewer tokens of an image: those of the engine, and the baselines that they have to beat. */

import type { ImagePart } from '../../src/core/messages.js';
import { keepAll, visualPolicy } from '../../src/engine/vision/reduce-visual-tokens.js';
import type { Vision } from '../../src/engine/vision/vision.js';
import { mergedCount } from '../../src/engine/visual-tokens/merge-groups.js';

export const reducers = ['merged', 'pooled', 'every n-th', 'random'] as const;
export type Reducer = (typeof reducers)[number];

/** Draws of random dropping, and places where every n-th token begins, which are averaged. */
const randomDraws = 2;
const mostStarts = 4;

/**
 * In how many ways a reducer may leave the same number of tokens: every n-th token may begin with any of the first n,
 * which makes a difference where things stand in rows and columns, as those of nano's pictures do.
 */
export function draws(reducer: Reducer, keep: number): number {
  if (keep === 1) return 1;
  if (reducer === 'random') return randomDraws;
  return reducer === 'every n-th' ? Math.min(mostStarts, Math.floor(1 / keep)) : 1;
}

/** The rows of an image, `[tokens, width]`, in one of the ways that `draws` counts; `seed` names the image. */
export async function reducedRows(
  vision: Vision,
  image: ImagePart,
  keep: number,
  reducer: Reducer,
  draw: number,
  seed: number,
): Promise<Float32Array> {
  if (reducer === 'merged') return look(vision, image, { keep, order: 'reference' });
  if (reducer === 'pooled') return look(vision, image, { keep, order: 'reference', reducer: 'grid_pool' });
  const rows = await look(vision, image, undefined);
  const count = rows.length / vision.width;
  const left = mergedCount(count, keep);
  const places =
    reducer === 'random'
      ? randomPlaces(count, left, draw * 1000 + seed)
      : evenPlaces(count, left, draw / draws(reducer, keep));
  const chosen = new Float32Array(left * vision.width);
  places.forEach((place, i) => {
    chosen.set(rows.subarray(place * vision.width, (place + 1) * vision.width), i * vision.width);
  });
  return chosen;
}

async function look(
  vision: Vision,
  image: ImagePart,
  merging: Parameters<typeof visualPolicy>[0],
): Promise<Float32Array> {
  const policy = merging === undefined ? keepAll : visualPolicy(merging);
  const [planned] = await vision.plan([image], { policy });
  return (await vision.look(planned!)).rows;
}

/** `start`, in [0, 1), is how far between two tokens that are left the first one stands. */
const evenPlaces = (count: number, left: number, start: number): number[] =>
  Array.from({ length: left }, (_, i) => Math.floor(((i + start) * count) / left));

/** A sample without repetition, in the order of the image. */
function randomPlaces(count: number, left: number, seed: number): number[] {
  const places = [...Array(count).keys()];
  let state = seed >>> 0;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [places[i], places[j]] = [places[j]!, places[i]!];
  }
  return places.slice(0, left).sort((a, b) => a - b);
}
