/** Entry of the thread that decodes images and cuts them into tiles, which takes a second for a large photograph. */

import { parentPort, workerData } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import { serializeError } from '../../core/errors.js';
import { decodeFrames, decodeImage } from './decode-image.js';
import { imageFamily, noVocabulary, videoFamily } from './families/registry.js';
import { lostDetail } from './lost-detail.js';
import { frameOf, type Picture } from './picture.js';
import { readPreprocessorConfig, readVideoConfig } from './preprocessor-config.js';
import type { ImageFile, TileReply, TileRequest, TileSetup, VisualSource } from './tile-protocol.js';

const port = parentPort!;
const { folder, vision, limits, pictureBytes } = workerData as TileSetup;
const images = imageFamily(vision, readPreprocessorConfig(folder), noVocabulary);
const videos = videoFamily(vision, readVideoConfig(folder), noVocabulary, images);
const pictures =
  pictureBytes === 0
    ? undefined
    : new LRUCache<string, Picture>({ maxSize: pictureBytes, sizeCalculation: ({ data }) => data.length });

async function remembered(key: string, decode: () => Promise<Picture>): Promise<Picture> {
  const known = pictures?.get(key);
  if (known !== undefined) return known;
  const picture = await decode();
  pictures?.set(key, picture);
  return picture;
}

const decoded = ({ bytes, hash, param }: ImageFile): Promise<Picture> =>
  remembered(hash, () => decodeImage(bytes, limits, param));

/** One at a time, so that memory holds one that is decoded beside the tiles. */
async function* framesOf({ files, animation }: VisualSource): AsyncGenerator<Picture> {
  if (animation === undefined) {
    for (const file of files) yield await decoded(file);
    return;
  }
  const { bytes, hash, param } = files[0]!;
  const all = await remembered(`${hash} frames`, () => decodeFrames(bytes, limits, param));
  for (const index of animation.chosen) yield frameOf(all, animation.frames, index);
}

async function videoTiles(source: VisualSource): Promise<readonly Picture[]> {
  const tiles: Picture[] = [];
  for await (const frame of framesOf(source)) tiles.push(videos.tile(frame));
  return videos.groups(tiles);
}

async function work(request: TileRequest): Promise<readonly Picture[] | readonly number[]> {
  if (request.job === 'lost detail') {
    const picture = await decoded(request.file);
    return request.sizes.map((size) => lostDetail(picture, request.best, size));
  }
  const { source, plan } = request;
  if (plan.kind === 'video') return videoTiles(source);
  return [...images.tiles(await decoded(source.files[0]!), plan)];
}

async function answer(request: TileRequest): Promise<TileReply> {
  const { key } = request;
  try {
    return { key, result: await work(request) };
  } catch (error) {
    return { key, error: serializeError(error) };
  }
}

let turn: Promise<void> = Promise.resolve();
port.on('message', (request: TileRequest) => {
  turn = turn.then(async () => port.postMessage(await answer(request)));
});
