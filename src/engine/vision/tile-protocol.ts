/** What crosses between a model and the thread that cuts its images into tiles. */

import type { SerializedError } from '../../core/errors.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import type { ImageLimits } from './decode-image.js';
import type { ImagePlan } from './families/image-family.js';
import type { Picture } from './picture.js';

export interface TileSetup {
  /** Folder of the checkpoint, for the settings of its preprocessor. */
  readonly folder: string;
  readonly vision: VisionConfig;
  readonly limits: ImageLimits;
  /** Memory for decoded images. */
  readonly pictureBytes: number;
}

export interface TileRequest {
  readonly key: number;
  readonly bytes: Uint8Array;
  /** Of the bytes; a decoded image is found again by it. */
  readonly hash: string;
  readonly plan: ImagePlan;
  readonly param: string;
}

export type TileReply =
  | { readonly key: number; readonly tiles: readonly Picture[] }
  | { readonly key: number; readonly error: SerializedError };
