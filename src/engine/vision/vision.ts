/**
 * The eyes of one model: images of a request in, rows for the decoder out. Everything that was computed for an
 * image is kept under the hash of its bytes, so that the next turn of a conversation, which brings the image
 * again, costs nothing.
 *
 *   bytes ── header ── plan, text of the prompt
 *   bytes ── decode ── tiles (a thread of their own) ── tower ── (merge) ── projector ── (merge) ── pack ── rows
 */

import { LRUCache } from 'lru-cache';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import type { CompiledEyes } from '../compiler/compiled-eyes.js';
import { VisionEncoder } from './encoder.js';
import { poolBilinear } from './families/feature-grid.js';
import type { GroupLayout } from './families/image-family.js';
import { imageFamily, readNewline, videoFamily } from './families/registry.js';
import { patchRows } from './patches.js';
import type { Picture } from './picture.js';
import { readPreprocessorConfig, readVideoConfig } from './preprocessor-config.js';
import { reduceGroups, reduceVisualTokens, reductionFlops } from './reduce-visual-tokens.js';
import { TileMaker } from './tile-maker.js';
import type { VisualFeatures } from './visual-features.js';
import type { Families, Look, PlannedVisual, VisionLimits, VisualPart } from './visual-planner.js';
import { VisualPlanner } from './visual-planner.js';

/** The rows of an image or video, one for each of its tokens in the placeholder. */
export interface SeenVisual {
  /** Equal for equal rows: image, view and policy. */
  readonly key: string;
  /** What stands for each row in the prompt. */
  readonly tokenId: number;
  /** `[tokens, width of the decoder]` */
  readonly rows: Float32Array;
  readonly isCached: boolean;
  /** Operations that went into merging just now. */
  readonly mergeFlops: number;
  readonly mergeMs: number;
}

/** Rows, features, or what is known of a file. */
type Kept = object;

/** Of the memory for images, the part that holds decoded ones, in case they are looked at in another way. */
const pictureShare = 0.25;

export interface ExplainedImage {
  /** As the tower saw them, one for each group; so many stand side by side. */
  readonly tiles: readonly Picture[];
  readonly columns: number;
  /** `[groups, tokens]`: the reduced token of its group that each place of the grid became part of. */
  readonly memberOf: Int32Array;
}

/** What the tokens are called that a chat template writes for an image and a video. */
export interface VisualTokens {
  readonly image: string;
  readonly video: string;
}

/** Values of the levels 0–255, per channel. */
type Levels = readonly Float32Array[];

export class Vision {
  readonly tokens: VisualTokens;
  readonly #config: VisionConfig;
  readonly #levels: { readonly image: Levels; readonly video: Levels };
  readonly #families: Families;
  readonly #encoder: VisionEncoder;
  readonly #tiles: TileMaker;
  readonly #planner: VisualPlanner;
  readonly #kept: LRUCache<string, Kept> | undefined;
  /** Images are looked at one after another, so that memory holds one that is decoded. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    config: VisionConfig,
    levels: { readonly image: Levels; readonly video: Levels },
    families: Families,
    encoder: VisionEncoder,
    tiles: TileMaker,
    tokens: VisualTokens,
    limits: VisionLimits,
  ) {
    this.tokens = tokens;
    this.#config = config;
    this.#levels = levels;
    this.#families = families;
    this.#encoder = encoder;
    this.#tiles = tiles;
    this.#planner = new VisualPlanner(config, families, tiles, limits, tokens, (key, measure) =>
      this.#remember(key, measure),
    );
    if (limits.cacheBytes > 0) {
      const maxSize = Math.ceil(limits.cacheBytes * (1 - pictureShare));
      this.#kept = new LRUCache({ maxSize, sizeCalculation: bytesOf });
    }
  }

  /** @throws {TrimtabError} invalid_checkpoint or unsupported_model for a preprocessor that does not fit */
  static async load(
    eyes: CompiledEyes,
    checkpoint: Checkpoint,
    tokens: VisualTokens,
    limits: VisionLimits,
    threads: number,
  ): Promise<Vision> {
    const { config } = eyes;
    const [image, video] = [readPreprocessorConfig(checkpoint.folder), readVideoConfig(checkpoint.folder)];
    const newline = readNewline(checkpoint, config);
    const vocabulary = { imageToken: tokens.image, videoToken: tokens.video, newline };
    const images = imageFamily(config, image, vocabulary);
    const videos = videoFamily(config, video, vocabulary, images);
    const encoder = await VisionEncoder.load(eyes, threads);
    const pictureBytes = Math.floor(limits.cacheBytes * pictureShare);
    const tiles = new TileMaker({ folder: checkpoint.folder, vision: config, limits, pictureBytes });
    const levels = { image: image.levels, video: video.levels };
    return new Vision(config, levels, { images, videos }, encoder, tiles, tokens, limits);
  }

  /** Width of a row, which is that of the decoder. */
  get width(): number {
    return this.#config.outputSize;
  }

  get imageTokenId(): number {
    return this.#config.imageTokenId;
  }

  /** What a video is to the chat template. */
  get videoPart(): 'image' | 'video' {
    return this.#families.videos.part;
  }

  get cachedBytes(): number {
    return this.#kept?.calculatedSize ?? 0;
  }

  /**
   * How images and videos will stand in the prompt.
   * @throws {TrimtabError} invalid_image, invalid_request or unsupported_parameter, naming the part
   */
  plan(parts: readonly VisualPart[], look: Look): Promise<PlannedVisual[]> {
    return this.#planner.plan(parts, look);
  }

  /** @throws {TrimtabError} invalid_image for an image whose header was good and whose body is not */
  async look(visual: PlannedVisual): Promise<SeenVisual> {
    const result = this.#turn.then(() => this.#look(visual));
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * What the tower saw, and how its tokens were merged, for people.
   * @throws {TrimtabError} invalid_image as `look`
   */
  async explain(visual: PlannedVisual): Promise<ExplainedImage> {
    const { source, plan, dense, policy } = visual;
    const tiles = await this.#tiles.make(source, plan);
    const { memberOf } = reduceGroups(await this.#features(visual), dense, policy);
    return { tiles, columns: plan.kind === 'image' ? Math.max(1, plan.grid.columns) : 1, memberOf };
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#tiles.close();
    await this.#encoder.close();
  }

  async #look(visual: PlannedVisual): Promise<SeenVisual> {
    const { plan, policy, dense, layout } = visual;
    const key = `${featuresKey(visual)}:${policy.key}`;
    const isCached = this.#kept?.has(`rows:${key}`) || this.#kept?.has(featuresKey(visual)) || false;
    let [mergeFlops, mergeMs] = [0, 0];
    const rows = await this.#remember(`rows:${key}`, async () => {
      const features = await this.#features(visual);
      mergeFlops = reductionFlops(features, policy);
      const startedAt = performance.now();
      const reduced = await reduceVisualTokens(features, dense, policy);
      mergeMs = policy.merging === undefined ? 0 : performance.now() - startedAt;
      const packed = this.#pack(reduced.features, plan, layout);
      return this.#families.images.mergesBefore ? this.#projected(packed, reduced) : packed;
    });
    return { key, tokenId: this.#tokenId(plan), rows, isCached, mergeFlops, mergeMs };
  }

  /** Rows that were merged, and chosen, before the projector; it runs on as many at once as a group has. */
  async #projected(features: Float32Array, { tokensPerGroup, width }: VisualFeatures): Promise<Float32Array> {
    const groups = features.length / (tokensPerGroup * width);
    const all = { groups, tokensPerGroup, width, features, metric: undefined };
    return (await this.#encoder.project(all)).features;
  }

  #pack(rows: Float32Array, plan: PlannedVisual['plan'], layout: GroupLayout): Float32Array {
    const { images, videos } = this.#families;
    return plan.kind === 'image' ? images.pack(rows, plan, layout) : videos.pack(rows, plan, layout);
  }

  #tokenId({ kind }: PlannedVisual['plan']): number {
    const { imageTokenId, videoTokenId = imageTokenId } = this.#config;
    return kind === 'image' ? imageTokenId : videoTokenId;
  }

  #features(visual: PlannedVisual): Promise<VisualFeatures> {
    return this.#remember(featuresKey(visual), () => this.#encode(visual));
  }

  async #encode({ source, plan, dense }: PlannedVisual): Promise<VisualFeatures> {
    const tiles = await this.#tiles.make(source, plan);
    const patchesOf = (group: number) =>
      patchRows(tiles[group]!, this.#config.tower, this.#levels[plan.kind]);
    const features = await this.#encoder.encode(tiles.length, patchesOf);
    if (this.#families.images.mergesBefore) return features;
    return pooled(await this.#encoder.project(features), dense);
  }

  async #remember<T extends Kept>(key: string, compute: () => Promise<T>): Promise<T> {
    const known = this.#kept?.get(key);
    if (known !== undefined) return known as T;
    const value = await compute();
    this.#kept?.set(key, value);
    return value;
  }
}

const featuresKey = ({ hash, plan }: PlannedVisual): string => `features:${hash}:${plan.kind}:${plan.key}`;

/** Frames of videos have fewer rows than the projector gives. */
function pooled(projected: VisualFeatures, dense: GroupLayout): VisualFeatures {
  if (dense.tokens === projected.tokensPerGroup) return projected;
  return { ...projected, tokensPerGroup: dense.tokens, features: poolBilinear(projected, dense.side!) };
}

function bytesOf(value: Kept): number {
  if (value instanceof Float32Array) return value.byteLength;
  if (!('features' in value)) return 256;
  const { features, metric } = value as VisualFeatures;
  return features.byteLength + (metric?.byteLength ?? 0);
}
