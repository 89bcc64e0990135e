/**
 * The eyes of one model: images of a request in, rows for the decoder out. Everything that was computed for an
 * image is kept under the hash of its bytes, so that the next turn of a conversation, which brings the image
 * again, costs nothing.
 *
 *   bytes ── header ── plan, text of the prompt
 *   bytes ── decode ── tiles (a thread of their own) ── tower ── (merge) ── projector ── (merge) ── pack ── rows
 */

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { TrimtabError } from '../../core/errors.js';
import type { ImagePart } from '../../core/messages.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import type { CompiledEyes } from '../compiler/compiled-eyes.js';
import { projectedTokens } from '../models/vision-projector.js';
import { mergeGroups } from '../visual-tokens/merge-groups.js';
import type { ImageLimits } from './decode-image.js';
import { measureImage } from './decode-image.js';
import { VisionEncoder } from './encoder.js';
import type { ImageFamily, ImagePlan } from './families/image-family.js';
import { imageFamily, readNewline } from './families/registry.js';
import { patchRows } from './patches.js';
import type { Picture, Size } from './picture.js';
import type { PreprocessorConfig } from './preprocessor-config.js';
import { readPreprocessorConfig } from './preprocessor-config.js';
import type { VisualPolicy } from './reduce-visual-tokens.js';
import { policyFor, reducedTokens, reduceVisualTokens, reductionFlops } from './reduce-visual-tokens.js';
import { TileMaker } from './tile-maker.js';
import type { VisualFeatures } from './visual-features.js';

export interface VisionLimits extends ImageLimits {
  readonly maxImages: number;
  /** For decoded images and what the encoder gave; 0 keeps nothing. */
  readonly cacheBytes: number;
}

/** An image of a request, measured but not yet decoded. */
export interface PlannedImage {
  readonly part: ImagePart;
  /** SHA-256 of the bytes. */
  readonly hash: string;
  readonly plan: ImagePlan;
  /** What stands for the image in the prompt. */
  readonly placeholder: string;
  /** That of the request, made to fit the tiles. */
  readonly policy: VisualPolicy;
  /** Rows of the tower's views before any merging. */
  readonly visualTokens: number;
  /** Image tokens that the placeholder would have without merging. */
  readonly unmergedRows: number;
}

/** The rows of an image, one for each image token of its placeholder. */
export interface SeenImage {
  /** Equal for equal rows: image, view and policy. */
  readonly key: string;
  /** `[tokens, width of the decoder]` */
  readonly rows: Float32Array;
  readonly isCached: boolean;
  /** Operations that went into merging just now. */
  readonly mergeFlops: number;
  readonly mergeMs: number;
}

type Kept = Size | VisualFeatures | Float32Array;

/** Of the memory for images, the part that holds decoded ones, in case they are looked at in another way. */
const pictureShare = 0.25;

export interface ExplainedImage {
  /** As the tower saw them, one for each group; so many stand side by side. */
  readonly tiles: readonly Picture[];
  readonly columns: number;
  /** `[groups, tokens]`: the merged token of its group that each place of the grid became part of. */
  readonly memberOf: Int32Array;
}

type EncodedImage = Pick<PlannedImage, 'part' | 'hash' | 'plan'>;

export class Vision {
  readonly imageTokenId: number;
  readonly imageToken: string;
  readonly #config: VisionConfig;
  readonly #preprocessor: PreprocessorConfig;
  readonly #family: ImageFamily;
  readonly #encoder: VisionEncoder;
  readonly #tiles: TileMaker;
  readonly #limits: VisionLimits;
  readonly #kept: LRUCache<string, Kept> | undefined;
  /** Images are looked at one after another, so that memory holds one that is decoded. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    config: VisionConfig,
    preprocessor: PreprocessorConfig,
    family: ImageFamily,
    encoder: VisionEncoder,
    tiles: TileMaker,
    imageToken: string,
    limits: VisionLimits,
  ) {
    this.imageTokenId = config.imageTokenId;
    this.imageToken = imageToken;
    this.#config = config;
    this.#preprocessor = preprocessor;
    this.#family = family;
    this.#encoder = encoder;
    this.#tiles = tiles;
    this.#limits = limits;
    if (limits.cacheBytes > 0) {
      const maxSize = Math.ceil(limits.cacheBytes * (1 - pictureShare));
      this.#kept = new LRUCache({ maxSize, sizeCalculation: bytesOf });
    }
  }

  /** @throws {TrimtabError} invalid_checkpoint or unsupported_model for a preprocessor that does not fit */
  static async load(
    eyes: CompiledEyes,
    checkpoint: Checkpoint,
    imageToken: string,
    limits: VisionLimits,
    threads: number,
  ): Promise<Vision> {
    const preprocessor = readPreprocessorConfig(checkpoint.folder);
    const newline = readNewline(checkpoint, eyes.config);
    const family = imageFamily(eyes.config, preprocessor, { imageToken, newline });
    const encoder = await VisionEncoder.load(eyes, threads);
    const pictureBytes = Math.floor(limits.cacheBytes * pictureShare);
    const tiles = new TileMaker({ folder: checkpoint.folder, vision: eyes.config, limits, pictureBytes });
    return new Vision(eyes.config, preprocessor, family, encoder, tiles, imageToken, limits);
  }

  /** Width of a row, which is that of the decoder. */
  get width(): number {
    return this.#config.outputSize;
  }

  get cachedBytes(): number {
    return this.#kept?.calculatedSize ?? 0;
  }

  /**
   * How the images will stand in the prompt. Reads headers only.
   * @throws {TrimtabError} invalid_image or invalid_request, naming the part
   */
  async plan(parts: readonly ImagePart[], policy: VisualPolicy): Promise<PlannedImage[]> {
    const { maxImages } = this.#limits;
    if (parts.length > maxImages) {
      const problem = `${parts.length} images in one request, the limit is ${maxImages}`;
      throw new TrimtabError('invalid_request', `messages: ${problem}`, { param: 'messages' });
    }
    const planned: PlannedImage[] = [];
    for (const part of parts) planned.push(await this.#plan(part, parts.length === 1, policy));
    return planned;
  }

  /** @throws {TrimtabError} invalid_image for an image whose header was good and whose body is not */
  async look(image: PlannedImage): Promise<SeenImage> {
    const key = `${image.hash}:${image.plan.key}:${image.policy.key}`;
    const result = this.#turn.then(() => this.#look(image, key));
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * What the tower saw, and how its tokens were merged, for people.
   * @throws {TrimtabError} invalid_image as `look`
   */
  async explain({ part, hash, plan, policy }: PlannedImage): Promise<ExplainedImage> {
    const tiles = await this.#tiles.make({ bytes: part.bytes, hash, plan, param: part.param });
    const features = await this.#features({ part, hash, plan });
    const { keep, order } = policy.merging ?? { keep: 1, order: 'reference' };
    const { memberOf } = mergeGroups(features, keep, order);
    return { tiles, columns: Math.max(1, plan.grid.columns), memberOf };
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#tiles.close();
    await this.#encoder.close();
  }

  async #plan(part: ImagePart, alone: boolean, policy: VisualPolicy): Promise<PlannedImage> {
    const hash = createHash('sha256').update(part.bytes).digest('hex');
    const size = await this.#remember(`size:${hash}`, () =>
      measureImage(part.bytes, this.#limits, part.param),
    );
    const plan = this.#family.plan(size, { detail: part.detail, alone });
    const dense = projectedTokens(this.#config);
    const unmerged = this.#family.placeholder(plan, dense);
    const unmergedRows = unmerged.split(this.imageToken).length - 1;
    const own = policyFor(policy, unmergedRows, plan.groups * dense);
    const placeholder =
      own.merging === undefined ? unmerged : this.#family.placeholder(plan, reducedTokens(dense, own));
    return { part, hash, plan, placeholder, policy: own, visualTokens: plan.groups * dense, unmergedRows };
  }

  async #look(image: PlannedImage, key: string): Promise<SeenImage> {
    const { policy } = image;
    const isCached =
      this.#kept?.has(`rows:${key}`) || this.#kept?.has(`features:${image.hash}:${image.plan.key}`) || false;
    let [mergeFlops, mergeMs] = [0, 0];
    const rows = await this.#remember(`rows:${key}`, async () => {
      const features = await this.#features(image);
      mergeFlops = reductionFlops(features, policy);
      const startedAt = performance.now();
      const reduced = await reduceVisualTokens(features, policy);
      mergeMs = policy.merging === undefined ? 0 : performance.now() - startedAt;
      const { features: packed, tokensPerGroup } = this.#family.mergesBefore
        ? await this.#encoder.project(reduced)
        : reduced;
      return this.#family.pack(packed, image.plan, tokensPerGroup);
    });
    return { key, rows, isCached, mergeFlops, mergeMs };
  }

  #features(image: EncodedImage): Promise<VisualFeatures> {
    return this.#remember(`features:${image.hash}:${image.plan.key}`, () => this.#encode(image));
  }

  async #encode({ part, hash, plan }: EncodedImage): Promise<VisualFeatures> {
    const tiles = await this.#tiles.make({ bytes: part.bytes, hash, plan, param: part.param });
    const patchesOf = (group: number) =>
      patchRows(tiles[group]!, this.#config.tower, this.#preprocessor.levels);
    const features = await this.#encoder.encode(tiles.length, patchesOf);
    return this.#family.mergesBefore ? features : this.#encoder.project(features);
  }

  async #remember<T extends Kept>(key: string, compute: () => Promise<T>): Promise<T> {
    const known = this.#kept?.get(key);
    if (known !== undefined) return known as T;
    const value = await compute();
    this.#kept?.set(key, value);
    return value;
  }
}

function bytesOf(value: Kept): number {
  if (value instanceof Float32Array) return value.byteLength;
  return 'features' in value ? value.features.byteLength + (value.metric?.byteLength ?? 0) : 64;
}
