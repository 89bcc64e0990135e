/** What differs between families of vision-language models between decoded pictures and rows of the decoder. */

import type { ImageDetail } from '../../../core/messages.js';
import type { Picture, Size } from '../picture.js';

/** How a request looks at an image. */
export interface View {
  readonly detail: ImageDetail;
  /** The conversation has no other image. */
  readonly alone: boolean;
  /** Most tiles beside the whole view; as many as the model was made for if absent. */
  readonly maxTiles?: number | undefined;
}

/** What is left of the tokens of each group. */
export interface GroupLayout {
  readonly tokens: number;
  /** Side of the square that they form, row by row; undefined where they have no order in space any more. */
  readonly side: number | undefined;
}

/** What an image of a certain size becomes. */
export interface ImagePlan {
  readonly kind: 'image';
  readonly size: Size;
  /** Tiles, each of which goes through the tower by itself. Their features are never merged with each other. */
  readonly groups: number;
  /** Rows and columns of tiles around the whole view, 0 × 0 if there is only that. */
  readonly grid: { readonly rows: number; readonly columns: number };
  /** To which the image is scaled before it is cut into tiles. */
  readonly resized: Size;
  /** Equal for plans that give the same features for the same bytes. */
  readonly key: string;
}

export interface ImageFamily {
  /** Similar rows are merged before the projector (as LLaVA-1.5 does) or after it. */
  readonly mergesBefore: boolean;
  plan(size: Size, view: View): ImagePlan;
  /** The tiles of a plan, in the order of its groups, each as large as the tower sees. */
  tiles(picture: Picture, plan: ImagePlan): Iterable<Picture>;
  /** What the reference writes into the prompt, with so many rows left of each group. */
  placeholder(plan: ImagePlan, layout: GroupLayout): string;
  /**
   * From rows `[groups, tokens, width]` to those of the placeholder's image tokens, in order; projected, or not yet
   * where rows are merged before the projector.
   */
  pack(rows: Float32Array, plan: ImagePlan, layout: GroupLayout): Float32Array;
}

/** What so many frames of a video become. */
export interface VideoPlan {
  readonly kind: 'video';
  readonly groups: number;
  readonly key: string;
}

export type VisualPlan = ImagePlan | VideoPlan;

export interface VideoFamily {
  /** What a video is to the chat template. */
  readonly part: 'image' | 'video';
  plan(frames: number): VideoPlan;
  /** A frame as the tower sees it. */
  tile(frame: Picture): Picture;
  /** The groups of a plan, from the tiles of all frames. */
  groups(tiles: readonly Picture[]): readonly Picture[];
  /** Side of a frame's rows once they are pooled, from the side of what the projector gives. */
  pooledSide(side: number): number;
  placeholder(plan: VideoPlan, layout: GroupLayout): string;
  pack(rows: Float32Array, plan: VideoPlan, layout: GroupLayout): Float32Array;
}
