/**
 * How pixels are prepared, from `preprocessor_config.json`, or from `image_processor` in `processor_config.json`
 * where newer versions of transformers write it. What is missing means what the named processor class means.
 */

import { existsSync } from 'node:fs';
import { z } from 'zod';
import { parseKeys } from '../checkpoint/decoder-config.js';
import type { JsonObject } from '../checkpoint/files.js';
import {
  invalidCheckpoint,
  isJsonObject,
  pathInside,
  readJsonObject,
  unsupportedModel,
} from '../checkpoint/files.js';
import type { Filter } from './resample.js';
import { filters } from './resample.js';

const maxBytes = 4 << 20;

export interface PreprocessorConfig {
  /** The file, for errors. */
  readonly file: string;
  /** Undefined leaves the size alone. */
  readonly resize: ResizeTarget | undefined;
  readonly filter: Filter;
  /** Sides of the part in the middle that is kept. */
  readonly centerCrop: { readonly width: number; readonly height: number } | undefined;
  /** Pads to a square with the mean colour before anything else (LLaVA). */
  readonly padToSquare: boolean;
  /** Value of each level 0–255 per channel, `[3][256]`. */
  readonly levels: readonly Float32Array[];
  /** The mean as a colour, 0–255, to pad with. */
  readonly meanColor: readonly number[];
  readonly splitsImages: boolean;
  /** Side of a tile where images are split. */
  readonly tileSide: number | undefined;
}

export type ResizeTarget =
  | { readonly kind: 'exact'; readonly width: number; readonly height: number }
  | { readonly kind: 'shortest' | 'longest'; readonly side: number };

const pixels = z
  .int()
  .min(1)
  .max(1 << 15);
const sizeSchema = z.union([
  pixels,
  z.looseObject({
    height: pixels.nullish(),
    width: pixels.nullish(),
    shortest_edge: pixels.nullish(),
    longest_edge: pixels.nullish(),
  }),
]);
const perChannel = z.array(z.number().min(-1000).max(1000)).length(3);

const schema = z.looseObject({
  do_resize: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  size: sizeSchema,
  resample: z
    .int()
    .nullish()
    .transform((value) => value ?? 3),
  do_center_crop: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  crop_size: sizeSchema.nullish(),
  do_rescale: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  rescale_factor: z
    .number()
    .nullish()
    .transform((value) => value ?? 1 / 255),
  do_normalize: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  image_mean: perChannel,
  image_std: perChannel.refine((values) => values.every((value) => value !== 0), 'expected no zeros'),
  do_pad: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  do_image_splitting: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  max_image_size: z.looseObject({ longest_edge: pixels }).nullish(),
});

type Keys = z.infer<typeof schema>;
type SizeKeys = z.infer<typeof sizeSchema>;

const half = [0.5, 0.5, 0.5];
const clipColors = {
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};
const halfColors = { image_mean: half, image_std: half };
const clip = {
  ...clipColors,
  size: { shortest_edge: 224 },
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
};
const tiles = {
  ...halfColors,
  resample: 1,
  size: { longest_edge: 4 * 364 },
  max_image_size: { longest_edge: 364 },
  do_image_splitting: true,
};

/** Defaults of the processor classes, whose names may carry the suffix of a backend. */
const classes: Readonly<Record<string, JsonObject>> = {
  CLIPImageProcessor: clip,
  CLIPFeatureExtractor: clip,
  LlavaImageProcessor: clip,
  SiglipImageProcessor: { ...halfColors, size: { height: 224, width: 224 } },
  LlavaOnevisionImageProcessor: { ...clipColors, size: { height: 384, width: 384 } },
  LlavaOnevisionVideoProcessor: { ...clipColors, size: { height: 384, width: 384 } },
  Idefics3ImageProcessor: tiles,
  SmolVLMImageProcessor: tiles,
};

/** Where settings are: a file of their own, or this key of `processor_config.json`. */
const places = {
  image: { file: 'preprocessor_config.json', key: 'image_processor' },
  video: { file: 'video_preprocessor_config.json', key: 'video_processor' },
} as const;

/** @throws {TrimtabError} invalid_checkpoint or unsupported_model, naming the file and key */
export function readPreprocessorConfig(folder: string): PreprocessorConfig {
  const found = findKeys(folder, places.image);
  if (found !== undefined) return parseConfig(found);
  throw invalidCheckpoint(
    folder,
    'has neither preprocessor_config.json nor an image_processor in processor_config.json',
  );
}

/** How frames of videos are prepared; like images where nothing is said of them. */
export function readVideoConfig(folder: string): PreprocessorConfig {
  const found = findKeys(folder, places.video);
  return found === undefined ? readPreprocessorConfig(folder) : parseConfig(found);
}

interface FoundKeys {
  readonly file: string;
  readonly raw: JsonObject;
}

function parseConfig({ file, raw }: FoundKeys): PreprocessorConfig {
  const name = String(
    raw.image_processor_type ??
      raw.video_processor_type ??
      raw.feature_extractor_type ??
      'CLIPImageProcessor',
  );
  const defaults = classes[name.replace(/(Fast|Pil)$/, '')];
  if (defaults === undefined) {
    throw unsupportedModel(
      file,
      `image_processor_type ${name}, supported are ${Object.keys(classes).join(', ')}`,
    );
  }
  const keys = parseKeys(file, schema, { ...defaults, ...withoutNulls(raw) });
  return {
    file,
    resize: keys.do_resize ? resizeTarget(file, keys.size) : undefined,
    filter: filterOf(file, keys.resample),
    centerCrop: keys.do_center_crop ? exactSize(file, keys.crop_size ?? keys.size) : undefined,
    padToSquare: keys.do_pad && name.startsWith('LlavaImage'),
    levels: levels(keys),
    meanColor: keys.image_mean.map((value) => Math.trunc(value * 255)),
    splitsImages: keys.do_image_splitting,
    tileSide: keys.max_image_size?.longest_edge,
  };
}

function findKeys(folder: string, place: (typeof places)[keyof typeof places]): FoundKeys | undefined {
  const own = pathInside(folder, place.file);
  if (existsSync(own)) return { file: own, raw: readJsonObject(own, maxBytes) };
  const shared = pathInside(folder, 'processor_config.json');
  const nested = existsSync(shared) ? readJsonObject(shared, maxBytes)[place.key] : undefined;
  return isJsonObject(nested) ? { file: shared, raw: nested } : undefined;
}

function withoutNulls(raw: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(raw).filter(([, value]) => value !== null));
}

function resizeTarget(file: string, size: SizeKeys): ResizeTarget {
  if (typeof size === 'number') return { kind: 'shortest', side: size };
  if (size.height != null && size.width != null)
    return { kind: 'exact', width: size.width, height: size.height };
  if (size.longest_edge != null && size.shortest_edge == null)
    return { kind: 'longest', side: size.longest_edge };
  if (size.shortest_edge != null && size.longest_edge == null)
    return { kind: 'shortest', side: size.shortest_edge };
  throw unsupportedModel(file, `size ${JSON.stringify(size)} is not supported`);
}

function exactSize(file: string, size: SizeKeys): { width: number; height: number } {
  if (typeof size === 'number') return { width: size, height: size };
  if (size.height != null && size.width != null) return { width: size.width, height: size.height };
  throw invalidCheckpoint(file, `crop_size ${JSON.stringify(size)} should have a height and a width`);
}

function filterOf(file: string, number: number): Filter {
  const filter = (filters as Readonly<Record<number, Filter>>)[number];
  if (filter !== undefined) return filter;
  throw unsupportedModel(
    file,
    `resample ${number} is not supported, only ${Object.keys(filters).join(', ')}`,
  );
}

/** Rescaled in float64, then normalised in float32, as the reference does. */
function levels({ do_rescale, rescale_factor, do_normalize, image_mean, image_std }: Keys): Float32Array[] {
  const scale = do_rescale ? rescale_factor : 1;
  return image_mean.map((mean, channel) => {
    const std = Math.fround(image_std[channel]!);
    const value = (level: number) => {
      const scaled = Math.fround(level * scale);
      return do_normalize ? Math.fround(scaled - Math.fround(mean)) / std : scaled;
    };
    return Float32Array.from({ length: 256 }, (_, level) => value(level));
  });
}
