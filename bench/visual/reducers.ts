/** Ways to leave fewer tokens of an image: those of the engine, and the baselines that they have to beat. */

import type { ImagePart } from '../../src/core/messages.js';
import { keepAll, visualPolicy } from '../../src/engine/vision/reduce-visual-tokens.js';
import type { Vision } from '../../src/engine/vision/vision.js';
import { mergedCount } from '../../src/engine/visual-tokens/merge-groups.js';

export const reducers = ['merged', 'pooled', 'every n-th', 'random'] as const;
export type Reducer = (typeof reducers)[number];

/** The rows of an image, `[tokens, width]`; `seed` is for those that are dropped at random. */
export async function reducedRows(
  vision: Vision,
  image: ImagePart,
  keep: number,
  reducer: Reducer,
  seed: number,
): Promise<Float32Array> {
  if (reducer === 'merged') return look(vision, image, { keep, order: 'reference' });
  if (reducer === 'pooled') return look(vision, image, { keep, order: 'reference', reducer: 'grid_pool' });
  const rows = await look(vision, image, undefined);
  const count = rows.length / vision.width;
  const left = mergedCount(count, keep);
  const places = reducer === 'random' ? randomPlaces(count, left, seed) : evenPlaces(count, left);
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

const evenPlaces = (count: number, left: number): number[] =>
  Array.from({ length: left }, (_, i) => Math.floor(((i + 0.5) * count) / left));

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
