/**
 * How the images and videos of a request will stand in its prompt, from their headers: what is too long or too large is
 * refused before anything is decoded. Only a budget that depends on what is in an image has it decoded here.
 */

import type { VisualBudget } from '../../core/efficiency.js';
import { TrimtabError } from '../../core/errors.js';
import type { ImagePart, VideoPart } from '../../core/messages.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import { projectedTokens } from '../models/vision-projector.js';
import type { ImageLimits } from './decode-image.js';
import { invalidImage } from './decode-image.js';
import type {
  GroupLayout,
  ImageFamily,
  ImagePlan,
  VideoFamily,
  VideoPlan,
  VisualPlan,
} from './families/image-family.js';
import { hashed, hashOf, ImageFiles, type Remember } from './image-files.js';
import type { Size } from './picture.js';
import type { VisualPolicy } from './reduce-visual-tokens.js';
import { policyFor, reducedLayout } from './reduce-visual-tokens.js';
import type { TileMaker } from './tile-maker.js';
import type { ImageFile, VisualSource } from './tile-protocol.js';

export interface VisionLimits extends ImageLimits {
  readonly maxImages: number;
  readonly maxVideos: number;
  /** Of a video that has more, so many are looked at. */
  readonly maxFrames: number;
  /** For decoded images and what the encoder gave; 0 keeps nothing. */
  readonly cacheBytes: number;
}

export type VisualPart = ImagePart | VideoPart;

/** An image or video of a request, measured but not yet decoded. */
export interface PlannedVisual {
  readonly source: VisualSource;
  /** Of all that is looked at. */
  readonly hash: string;
  readonly plan: VisualPlan;
  /** What stands for it in the prompt. */
  readonly placeholder: string;
  /** That of the request, made to fit the tiles. */
  readonly policy: VisualPolicy;
  /** Of the features, before and after they are reduced. */
  readonly dense: GroupLayout;
  readonly layout: GroupLayout;
  /** Groups and rows that there would be at full resolution, unmerged. */
  readonly fullViews: number;
  readonly fullRows: number;
}

/** How a request wants its images: where to look less, and what to do with the rows. */
export interface Look {
  readonly policy: VisualPolicy;
  readonly budget?: VisualBudget | undefined;
}

export interface Families {
  readonly images: ImageFamily;
  readonly videos: VideoFamily;
}

interface Token {
  readonly image: string;
  readonly video: string;
}

export class VisualPlanner {
  readonly #config: VisionConfig;
  readonly #families: Families;
  readonly #tiles: TileMaker;
  readonly #limits: VisionLimits;
  readonly #tokens: Token;
  readonly #files: ImageFiles;
  readonly #remember: Remember;

  /** `remember` keeps what is known of a file under a key. */
  constructor(
    config: VisionConfig,
    families: Families,
    tiles: TileMaker,
    limits: VisionLimits,
    tokens: Token,
    remember: Remember,
  ) {
    this.#config = config;
    this.#families = families;
    this.#tiles = tiles;
    this.#limits = limits;
    this.#tokens = tokens;
    this.#files = new ImageFiles(limits, remember);
    this.#remember = remember;
  }

  /** @throws {TrimtabError} invalid_image, invalid_request or unsupported_parameter, naming the part */
  async plan(parts: readonly VisualPart[], look: Look): Promise<PlannedVisual[]> {
    const images = parts.filter(({ type }) => type === 'image').length;
    requireFew('images', images, this.#limits.maxImages);
    requireFew('videos', parts.length - images, this.#limits.maxVideos);
    const planned: PlannedVisual[] = [];
    for (const part of parts) {
      const one =
        part.type === 'image' ? this.#planImage(part, images === 1, look) : this.#planVideo(part, look);
      planned.push(await one);
    }
    return planned;
  }

  async #planImage(part: ImagePart, alone: boolean, { policy, budget }: Look): Promise<PlannedVisual> {
    const file = hashed(part);
    const size = await this.#files.size(file);
    const view = { detail: part.detail, alone };
    const { images } = this.#families;
    const full = images.plan(size, view);
    const most = images.plan(size, { ...view, maxTiles: budget?.maxTiles });
    const lost = budget?.lostDetail;
    const plan =
      lost === undefined || most.groups === 1 ? most : await this.#fewestTiles(file, most, lost, view);
    return this.#planned({ files: [file] }, plan, full, policy, (of: ImagePlan, layout) =>
      images.placeholder(of, layout),
    );
  }

  /** The plan with the fewest tiles at which no more detail is lost than may be. */
  async #fewestTiles(
    file: ImageFile,
    most: ImagePlan,
    mayLose: number,
    view: { readonly detail: ImagePart['detail']; readonly alone: boolean },
  ): Promise<ImagePlan> {
    const plans = Array.from({ length: most.groups - 1 }, (_, maxTiles) =>
      this.#families.images.plan(most.size, { ...view, maxTiles }),
    );
    const fewer = plans.filter(({ key }, i) => key !== plans[i - 1]?.key && key !== most.key);
    const sizes = fewer.map((plan) => this.#seen(plan));
    const { lost } = await this.#remember(`lost:${file.hash}:${most.key}`, async () => ({
      lost: await this.#tiles.lostDetail(file, this.#seen(most), sizes),
    }));
    return fewer.find((_, i) => lost[i]! <= mayLose) ?? most;
  }

  /** The resolution at which an image is seen best. */
  #seen({ grid, resized }: ImagePlan): Size {
    const { imageSize } = this.#config.tower;
    return grid.rows === 0 ? { width: imageSize, height: imageSize } : resized;
  }

  async #planVideo({ frames, param }: VideoPart, { policy, budget }: Look): Promise<PlannedVisual> {
    const { maxFrames } = this.#limits;
    const files = frames.filter((frame) => frame.type === 'image');
    if (files.length === 0) throw invalidImage(param, 'a video without frames');
    const few = Math.min(maxFrames, budget?.maxFrames ?? maxFrames);
    const { source, total } = await this.#files.frames(files, few);
    const { videos } = this.#families;
    const plan = videos.plan(Math.min(few, total));
    const full = videos.plan(Math.min(maxFrames, total));
    return this.#planned(source, plan, full, policy, (of: VideoPlan, layout) =>
      videos.placeholder(of, layout),
    );
  }

  #planned<P extends VisualPlan>(
    source: VisualSource,
    plan: P,
    full: P,
    policy: VisualPolicy,
    placeholder: (plan: P, layout: GroupLayout) => string,
  ): PlannedVisual {
    const dense = this.#dense(plan);
    const rows = (text: string) => text.split(this.#token(plan)).length - 1;
    const unmerged = placeholder(plan, dense);
    const own = policyFor(policy, rows(unmerged), plan.groups * dense.tokens);
    const layout = reducedLayout(dense, own);
    return {
      source,
      hash: hashOf(source),
      plan,
      placeholder: placeholder(plan, layout),
      policy: own,
      dense,
      layout,
      fullViews: full.groups,
      fullRows: rows(placeholder(full, dense)),
    };
  }

  /** The token that stands for a row; models that see videos as images write them so. */
  #token({ kind }: VisualPlan): string {
    return kind === 'video' && this.#families.videos.part === 'video'
      ? this.#tokens.video
      : this.#tokens.image;
  }

  #dense({ kind }: VisualPlan): GroupLayout {
    const tokens = projectedTokens(this.#config);
    const side = Math.sqrt(tokens);
    const isGrid =
      Number.isInteger(side) && !(this.#config.tower.kind === 'clip' && this.#config.keepsClassToken);
    if (!isGrid) return { tokens, side: undefined };
    const pooled = kind === 'video' ? this.#families.videos.pooledSide(side) : side;
    return { tokens: pooled * pooled, side: pooled };
  }
}

function requireFew(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  const problem = `${count} ${what} in one request, the limit is ${limit}`;
  throw new TrimtabError('invalid_request', `messages: ${problem}`, { param: 'messages' });
}
