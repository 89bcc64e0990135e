/** What crosses between a model and the thread that cuts its images into tiles. */

import type { SerializedError } from '../../core/errors.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import type { ImageLimits } from './decode-image.js';
import type { VisualPlan } from './families/image-family.js';
import type { Picture, Size } from './picture.js';

export interface TileSetup {
  /** Folder of the checkpoint, for the settings of its preprocessor. */
  readonly folder: string;
  readonly vision: VisionConfig;
  readonly limits: ImageLimits;
  /** Memory for decoded images. */
  readonly pictureBytes: number;
}

/** A file as it came. */
export interface ImageFile {
  readonly bytes: Uint8Array;
  /** Of the bytes; a decoded image is found again by it. */
  readonly hash: string;
  /** Where errors about it point. */
  readonly param: string;
}

/** An image has one file. A video has one for each of its frames, or one with all of them. */
export interface VisualSource {
  readonly files: readonly ImageFile[];
  /** The frames of a single animated file that are looked at. */
  readonly animation?: { readonly frames: number; readonly chosen: readonly number[] } | undefined;
}

export type TileRequest = { readonly key: number } & (
  | { readonly job: 'tiles'; readonly source: VisualSource; readonly plan: VisualPlan }
  /** How much is lost of what is seen at `best` when the image is seen at each of `sizes` instead. */
  | {
      readonly job: 'lost detail';
      readonly file: ImageFile;
      readonly best: Size;
      readonly sizes: readonly Size[];
    }
);

export type TileReply =
  | { readonly key: number; readonly result: readonly Picture[] | readonly number[] }
  | { readonly key: number; readonly error: SerializedError };
