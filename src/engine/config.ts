/** The settings of the runtime, with their defaults; the rest of the program reads them from here only. */

import { z } from 'zod';
import { efficiencySchema } from '../core/efficiency.js';

const MIB = 2 ** 20;

export const imageConfigSchema = z.strictObject({
  maxImages: z.int().min(1).max(1024).default(16).describe('Images that one request may bring.'),
  maxVideos: z.int().min(0).max(64).default(4).describe('Videos that one request may bring.'),
  maxFrames: z
    .int()
    .min(1)
    .max(1024)
    .default(32)
    .describe('Frames of a video that are looked at; of more, so many evenly spaced ones.'),
  maxBytes: z
    .int()
    .min(1024)
    .default(20 * MIB)
    .describe('Largest image file.'),
  maxPixels: z.int().min(1).max(1e9).default(64e6).describe('Width times height of the largest image.'),
  cacheBytes: z
    .int()
    .min(0)
    .default(256 * MIB)
    .describe('Memory for decoded images and what the encoder saw in them, per model; 0 keeps nothing.'),
});

export const engineConfigSchema = z.strictObject({
  maxLanes: z.int().min(1).max(64).default(8).describe('Sequences that run at the same time.'),
  maxQueue: z
    .int()
    .min(0)
    .max(10_000)
    .default(64)
    .describe('Requests that may wait; further ones get a 429.'),
  prefillChunk: z
    .int()
    .min(16)
    .max(4096)
    .default(128)
    .describe('Prompt tokens per step when nothing decodes.'),
  maxDecodeDelayMs: z
    .number()
    .min(1)
    .max(10_000)
    .default(150)
    .describe('How long a prompt chunk may hold up the sequences that decode.'),
  kvCacheBytes: z
    .union([z.literal('auto'), z.int().min(MIB)])
    .default('auto')
    .describe('Memory for keys and values of running sequences; auto is a quarter of what is free.'),
  prefixCacheBytes: z
    .union([z.literal('auto'), z.int().min(0)])
    .default('auto')
    .describe('Memory for finished prefixes; 0 turns the cache off, auto is a tenth of what is free.'),
  maxModelLength: z
    .int()
    .min(16)
    .optional()
    .describe('Longest prompt plus completion in tokens; the context of the model if absent.'),
  pruningBytes: z
    .int()
    .min(MIB)
    .default(2048 * MIB)
    .describe('Memory that one prompt may take for a moment while it drops visual tokens between layers.'),
  drafts: z
    .strictObject({
      maxRows: z
        .int()
        .min(1)
        .max(256)
        .default(64)
        .describe('Rows of a step that verifies drafts, over all lanes.'),
      storeBytes: z
        .int()
        .min(MIB)
        .max(4096 * MIB)
        .default(64 * MIB)
        .describe('Memory for what drafting remembers of answers, over all tenants of a model.'),
      historyTokens: z
        .int()
        .min(256)
        .max(2 ** 24)
        .default(2 ** 20)
        .describe('Tokens of earlier answers that each tenant keeps.'),
      persist: z.boolean().default(true).describe('Keeps on disk what drafting remembers.'),
    })
    .prefault({})
    .describe('Limits of draft verification.'),
  efficiency: efficiencySchema
    .prefault({})
    .describe('What requests get that do not ask themselves; keys as in the request body.'),
  images: imageConfigSchema.prefault({}),
});

export type EngineConfig = Readonly<z.infer<typeof engineConfigSchema>>;

const AUTO_KV_SHARE = 0.25;
const AUTO_PREFIX_SHARE = 0.1;
const AUTO_KV_LIMIT = 4096 * MIB;
const AUTO_PREFIX_LIMIT = 1024 * MIB;

export interface CacheBytes {
  readonly kv: number;
  readonly prefix: number;
}

/** Turns `auto` into bytes, given the memory that is free. */
export function cacheBytes(config: EngineConfig, freeBytes: number): CacheBytes {
  const share = (part: number, limit: number) => Math.floor(Math.min(Math.max(freeBytes * part, MIB), limit));
  return {
    kv: config.kvCacheBytes === 'auto' ? share(AUTO_KV_SHARE, AUTO_KV_LIMIT) : config.kvCacheBytes,
    prefix:
      config.prefixCacheBytes === 'auto'
        ? share(AUTO_PREFIX_SHARE, AUTO_PREFIX_LIMIT)
        : config.prefixCacheBytes,
  };
}
