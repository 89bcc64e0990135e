/** From the family of a checkpoint to what prepares its images, checked against the tower they are prepared for. */

import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { invalidCheckpoint, unsupportedModel } from '../../checkpoint/files.js';
import type { VisionConfig } from '../../checkpoint/vision-config.js';
import { newlineName } from '../../checkpoint/vision-tensors.js';
import type { PreprocessorConfig } from '../preprocessor-config.js';
import { Idefics3 } from './idefics3.js';
import type { ImageFamily, VideoFamily } from './image-family.js';
import { Llava } from './llava.js';
import { LlavaOneVision } from './llava-onevision.js';
import { OneVisionVideo } from './onevision-video.js';
import { ThumbnailVideo } from './thumbnail-video.js';

/** What the text and the rows of images need beside the preprocessor; tiles need none of it. */
export interface ImageVocabulary {
  readonly imageToken: string;
  /** Empty for a model that was not trained on videos. */
  readonly videoToken: string;
  /** `[width of the decoder]`, where the family ends lines with a learned row. */
  readonly newline: Float32Array | undefined;
}

/** @throws {TrimtabError} invalid_checkpoint or unsupported_model when tiles would not fit the tower */
export function imageFamily(
  vision: VisionConfig,
  preprocessor: PreprocessorConfig,
  vocabulary: ImageVocabulary,
): ImageFamily {
  const { imageToken, newline = new Float32Array(vision.outputSize) } = vocabulary;
  switch (vision.family) {
    case 'llava':
      requireSide(preprocessor, vision, tileSize(preprocessor));
      return new Llava(preprocessor, imageToken);
    case 'llava_onevision':
      requireSide(preprocessor, vision, tileSize(preprocessor));
      requireWholeTiles(preprocessor, vision);
      return new LlavaOneVision(vision, preprocessor, imageToken, newline);
    case 'idefics3': {
      const side = preprocessor.tileSide ?? vision.tower.imageSize;
      requireSide(preprocessor, vision, { width: side, height: side });
      return new Idefics3(preprocessor, imageToken, side);
    }
  }
}

/**
 * Models that were not trained on videos see them as images of `images`.
 * @throws {TrimtabError} invalid_checkpoint or unsupported_model when frames would not fit the tower
 */
export function videoFamily(
  vision: VisionConfig,
  preprocessor: PreprocessorConfig,
  { videoToken, newline = new Float32Array(vision.outputSize) }: ImageVocabulary,
  images: ImageFamily,
): VideoFamily {
  if (vision.videoTokenId === undefined) return new ThumbnailVideo(images, preprocessor.filter);
  requireSide(preprocessor, vision, tileSize(preprocessor));
  return new OneVisionVideo(vision.tower.imageSize, preprocessor.filter, videoToken, newline);
}

/** What tiles are made with, where nothing has to be written into a prompt. */
export const noVocabulary: ImageVocabulary = { imageToken: '', videoToken: '', newline: undefined };

export function readNewline(checkpoint: Checkpoint, { family }: VisionConfig): Float32Array | undefined {
  if (family !== 'llava_onevision') return undefined;
  return checkpoint.read(checkpoint.tensor(newlineName(checkpoint)));
}

interface TileSize {
  readonly width: number;
  readonly height: number;
}

function tileSize({ file, centerCrop, resize }: PreprocessorConfig): TileSize {
  if (centerCrop !== undefined && resize !== undefined) {
    const shortest = resize.kind === 'exact' ? Math.min(resize.width, resize.height) : resize.side;
    if (Math.max(centerCrop.width, centerCrop.height) <= shortest) return centerCrop;
    throw unsupportedModel(file, 'crop_size is larger than size');
  }
  if (centerCrop === undefined && resize?.kind === 'exact') return resize;
  throw unsupportedModel(
    file,
    'images of a fixed size are needed: size with height and width, or do_center_crop',
  );
}

function requireSide({ file }: PreprocessorConfig, { tower }: VisionConfig, tile: TileSize): void {
  if (tile.width === tower.imageSize && tile.height === tower.imageSize) return;
  const expected = `vision_config.image_size is ${tower.imageSize}`;
  throw invalidCheckpoint(file, `makes tiles of ${tile.width} × ${tile.height} pixels, but ${expected}`);
}

function requireWholeTiles({ file }: PreprocessorConfig, { anyResolution, tower }: VisionConfig): void {
  const odd = anyResolution!.sizes.find((size) => size.some((side) => side % tower.imageSize !== 0));
  if (odd === undefined && anyResolution!.sizes.length > 0) return;
  throw invalidCheckpoint(
    file,
    `image_grid_pinpoints should be multiples of ${tower.imageSize}, found ${odd ?? 'none'}`,
  );
}
