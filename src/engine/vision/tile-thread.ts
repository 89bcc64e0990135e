/** Entry of the thread that decodes images and cuts them into tiles, which takes a second for a large photograph. */

import { parentPort, workerData } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import { serializeError } from '../../core/errors.js';
import { decodeImage } from './decode-image.js';
import { imageFamily } from './families/registry.js';
import type { Picture } from './picture.js';
import { readPreprocessorConfig } from './preprocessor-config.js';
import type { TileReply, TileRequest, TileSetup } from './tile-protocol.js';

const port = parentPort!;
const { folder, vision, limits, pictureBytes } = workerData as TileSetup;
const family = imageFamily(vision, readPreprocessorConfig(folder), { imageToken: '', newline: undefined });
const pictures =
  pictureBytes === 0
    ? undefined
    : new LRUCache<string, Picture>({ maxSize: pictureBytes, sizeCalculation: ({ data }) => data.length });

async function decoded({ bytes, hash, param }: TileRequest): Promise<Picture> {
  const known = pictures?.get(hash);
  if (known !== undefined) return known;
  const picture = await decodeImage(bytes, limits, param);
  pictures?.set(hash, picture);
  return picture;
}

async function answer(request: TileRequest): Promise<TileReply> {
  const { key, plan } = request;
  try {
    return { key, tiles: [...family.tiles(await decoded(request), plan)] };
  } catch (error) {
    return { key, error: serializeError(error) };
  }
}

let turn: Promise<void> = Promise.resolve();
port.on('message', (request: TileRequest) => {
  turn = turn.then(async () => port.postMessage(await answer(request)));
});
