/** What differs between families of vision-language models between a decoded image and rows of the decoder. */

import type { ImageDetail } from '../../../core/messages.js';
import type { Picture, Size } from '../picture.js';

/** How a request looks at an image. */
export interface View {
  readonly detail: ImageDetail;
  /** The conversation has no other image. */
  readonly alone: boolean;
}

/** What an image of a certain size becomes. */
export interface ImagePlan {
  readonly size: Size;
  /** Tiles, each of which goes through the tower by itself. Their features are never merged with each other. */
  readonly groups: number;
  /** Rows and columns of tiles around the whole view, 0 × 0 if there is only that. */
  readonly grid: { readonly rows: number; readonly columns: number };
  /** Equal for plans that give the same features for the same bytes. */
  readonly key: string;
}

export interface ImageFamily {
  /** Similar rows are merged before the projector (as LLaVA-1.5 does) or after it. */
  readonly mergesBefore: boolean;
  plan(size: Size, view: View): ImagePlan;
  /** The tiles of a plan, in the order of its groups, each as large as the tower sees. */
  tiles(picture: Picture, plan: ImagePlan): Iterable<Picture>;
  /** What the reference writes into the prompt, with `tokens` rows left of each group. */
  placeholder(plan: ImagePlan, tokens: number): string;
  /** From projected rows `[groups, tokens, width]` to the rows of the placeholder's image tokens, in order. */
  pack(rows: Float32Array, plan: ImagePlan, tokens: number): Float32Array;
}
