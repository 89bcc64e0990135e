/**
 * How the images and videos of a request will stand in its prompt, from their headers: what is too long or too large is
 * refused before anything is decoded. Only a budget that depends on what is in an image has it decoded here.
 */

import { createHash } from 'node:crypto';
import type { VisualBudget } from '../../core/efficiency.js';
import { TrimtabError } from '../../core/errors.js';
import type { ImagePart, VideoPart } from '../../core/messages.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import { projectedTokens } from '../models/vision-projector.js';
import type { ImageLimits } from './decode-image.js';
import { invalidImage, measureFrames, measureImage } from './decode-image.js';
import { sampledFrames } from './even-places.js';
import type {
  GroupLayout,
  ImageFamily,
  ImagePlan,
  VideoFamily,
  VideoPlan,
  VisualPlan,
} from './families/image-family.js';
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

type Sized = <T extends object>(key: string, measure: () => Promise<T>) => Promise<T>;

export class VisualPlanner {
  readonly #config: VisionConfig;
  readonly #families: Families;
  readonly #tiles: TileMaker;
  readonly #limits: VisionLimits;
  readonly #tokens: Token;
  readonly #remember: Sized;

  /** `remember` keeps what is known of a file under a key. */
  constructor(
    config: VisionConfig,
    families: Families,
    tiles: TileMaker,
    limits: VisionLimits,
    tokens: Token,
    remember: Sized,
  ) {
    this.#config = config;
    this.#families = families;
    this.#tiles = tiles;
    this.#limits = limits;
    this.#tokens = tokens;
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
    const size = await this.#remember(`size:${file.hash}`, () =>
      measureImage(part.bytes, this.#limits, part.param),
    );
    const view = { detail: part.detail, alone };
    const { images } = this.#families;
    const full = images.plan(size, view);
    const most = images.plan(size, { ...view, maxTiles: budget?.maxTiles });
    const lost = budget?.lostDetail;
    const plan =
      lost === undefined || most.groups === 1 ? most : await this.#fewestTiles(file, most, lost, view);
    return this.#planned({ files: [file] }, file.hash, plan, full, policy, (of: ImagePlan, layout) =>
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
    const few = Math.min(maxFrames, budget?.maxFrames ?? maxFrames);
    const { source, total } =
      files.length === 1 ? await this.#animation(files[0]!, few) : await this.#list(files, few);
    const { videos } = this.#families;
    const plan = videos.plan(Math.min(few, total));
    const full = videos.plan(Math.min(maxFrames, total));
    if (total === 0) throw invalidImage(param, 'a video without frames');
    return this.#planned(source, hashOf(source), plan, full, policy, (of: VideoPlan, layout) =>
      videos.placeholder(of, layout),
    );
  }

  async #animation(part: ImagePart, few: number): Promise<{ source: VisualSource; total: number }> {
    const file = hashed(part);
    const measure = () => measureFrames(part.bytes, this.#limits, part.param);
    const { frames } = await this.#remember(`frames:${file.hash}`, measure);
    if (frames === 1) return { source: { files: [file] }, total: 1 };
    const animation = { frames, chosen: sampledFrames(frames, few) };
    return { source: { files: [file], animation }, total: frames };
  }

  /** Only frames that are looked at are measured. */
  async #list(parts: readonly ImagePart[], few: number): Promise<{ source: VisualSource; total: number }> {
    const chosen = sampledFrames(parts.length, few).map((index) => hashed(parts[index]!));
    for (const { bytes, hash, param } of chosen) {
      await this.#remember(`size:${hash}`, () => measureImage(bytes, this.#limits, param));
    }
    return { source: { files: chosen }, total: parts.length };
  }

  #planned<P extends VisualPlan>(
    source: VisualSource,
    hash: string,
    plan: P,
    full: P,
    policy: VisualPolicy,
    placeholder: (plan: P, layout: GroupLayout) => string,
  ): PlannedVisual {
    const dense = this.#dense(plan);
    const rows = (text: string) => text.split(this.token(plan)).length - 1;
    const unmerged = placeholder(plan, dense);
    const own = policyFor(policy, rows(unmerged), plan.groups * dense.tokens);
    const layout = reducedLayout(dense, own);
    return {
      source,
      hash,
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
  token({ kind }: VisualPlan): string {
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

function hashed({ bytes, param }: ImagePart): ImageFile {
  return { bytes, param, hash: createHash('sha256').update(bytes).digest('hex') };
}

function hashOf({ files, animation }: VisualSource): string {
  const names = [...files.map(({ hash }) => hash), ...(animation?.chosen ?? [])].join();
  return createHash('sha256').update(names).digest('hex');
}
