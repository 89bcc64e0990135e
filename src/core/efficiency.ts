/**
 * What a request, a model or the whole server may ask of the engine beyond the plain model, in the form in which
 * callers write it. Without any of it the engine computes the plain model.
 */

import { z } from 'zod';

export interface TokenMerging {
  /** Share of the visual tokens that is left, in (0, 1]. */
  readonly keep: number;
  readonly order: 'reference' | 'raster';
  /** Averages what is alike, or what lies in the same cell of a coarser grid, which keeps places; similarity if absent. */
  readonly reducer?: 'similarity' | 'grid_pool';
}

/** How much of images and videos is looked at, before the encoder. */
export interface VisualBudget {
  /** Most tiles of an image beside the whole view. */
  readonly maxTiles?: number | undefined;
  /** Most frames of a video. */
  readonly maxFrames?: number | undefined;
  /** Fewer tiles where no more detail than this is lost with them, in levels (0–255). */
  readonly lostDetail?: number | undefined;
}

/** Fractions of the depth of the decoder between which visual tokens are dropped. */
export interface TokenPruning {
  readonly start: number;
  readonly end: number;
}

/** Where drafted tokens may come from. */
export const draftSources = [
  'grammar',
  'prediction',
  'context',
  'history',
  'ngram',
  'corpus',
  'alternatives',
] as const;
export type DraftSourceName = (typeof draftSources)[number];

/** `adaptive` drafts from the sources as far as it pays; the others are published methods, verified whole, to compare. */
export const draftMethods = ['adaptive', 'aded-compat', 'prompt-lookup'] as const;
export type DraftMethod = (typeof draftMethods)[number];
export type FixedDraftMethod = Exclude<DraftMethod, 'adaptive'>;

/** Several tokens per step, drafted without a second model and verified by this one. */
export interface DraftVerification {
  readonly method: DraftMethod;
  /** Most drafted tokens in a step; `auto` leaves it to what pays. */
  readonly maxTokens: number | 'auto';
  readonly sources: readonly DraftSourceName[];
  /**
   * Nothing that could differ from plain steps: near ties are left to them, and models whose rows are rounded
   * differently in drafts do not draft.
   */
  readonly strict: boolean;
}

/** A: a verified draft moves logits by their last bits at most; B: rounding of activations carries that further. */
export type NumericsClass = 'A' | 'B';

/** An absent key leaves the choice to whoever is asked next; false turns the feature off. */
export interface EfficiencyOptions {
  readonly tokenMerging?: TokenMerging | false;
  readonly tokenPruning?: TokenPruning | false;
  readonly visualBudget?: VisualBudget | false;
  readonly draftVerification?: DraftVerification | false;
}

/** The options that hold in the end. */
export interface EfficiencyPlan {
  readonly tokenMerging: TokenMerging | undefined;
  readonly tokenPruning: TokenPruning | undefined;
  readonly visualBudget: VisualBudget | undefined;
  readonly draftVerification: DraftVerification | undefined;
}

/** The fractions that AIM uses for video (arXiv 2412.03248): layers 14 to 22 of 28. */
const defaultStart = 0.5;
const defaultEnd = 0.786;

const share = z.number().min(0).max(1);

const tokenMerging = z.strictObject({
  keep: z.number().gt(0).max(1),
  order: z.enum(['reference', 'raster']).default('reference'),
  reducer: z.enum(['similarity', 'grid_pool']).default('similarity'),
});

/** The most of either that a request may name. */
const maxViews = 1024;

const visualBudget = z
  .strictObject({
    max_tiles: z.int().min(0).max(maxViews).optional(),
    max_frames: z.int().min(1).max(maxViews).optional(),
    lost_detail: z.number().min(0).max(255).optional(),
  })
  .transform(
    ({ max_tiles, max_frames, lost_detail }): VisualBudget => ({
      maxTiles: max_tiles,
      maxFrames: max_frames,
      lostDetail: lost_detail,
    }),
  );

const tokenPruning = z
  .strictObject({ start: share.default(defaultStart), end: share.default(defaultEnd) })
  .refine(({ start, end }) => start < end, { path: ['end'], message: 'expected a number above start' });

const off = z.literal(false);

/** The most tokens of a step that `max_tokens` may ask for. */
const maxDraftTokens = 64;

export const automaticDrafts: DraftVerification = {
  method: 'adaptive',
  maxTokens: 'auto',
  sources: draftSources,
  strict: false,
};

/** Whether it is left to the engine where, and from what, drafts pay. */
export function isAutomatic({ method, maxTokens, sources }: DraftVerification): boolean {
  const { length } = draftSources;
  return method === 'adaptive' && maxTokens === 'auto' && new Set(sources).size === length;
}

const draftVerification = z.strictObject({
  method: z.enum(draftMethods).default(automaticDrafts.method),
  max_tokens: z
    .union([z.literal('auto'), z.int().min(0).max(maxDraftTokens)])
    .default(automaticDrafts.maxTokens),
  sources: z
    .array(z.enum(draftSources))
    .min(1)
    .max(draftSources.length)
    .default([...automaticDrafts.sources]),
  strict: z.boolean().default(automaticDrafts.strict),
});

/**
 * Where nobody says anything: only what changes no answer. Where rounding could, drafts have to be asked for; a
 * `prediction` asks for them.
 */
export function defaultEfficiency(numerics: NumericsClass, hasPrediction: boolean): EfficiencyOptions {
  return numerics === 'A' || hasPrediction ? { draftVerification: automaticDrafts } : {};
}

function draftsOf(
  value: false | 'off' | 'auto' | z.output<typeof draftVerification>,
): DraftVerification | false {
  if (value === 'auto') return automaticDrafts;
  if (value === false || value === 'off' || value.max_tokens === 0) return false;
  return { method: value.method, maxTokens: value.max_tokens, sources: value.sources, strict: value.strict };
}

const needsRouter = z.unknown().refine((value) => value === undefined || value === null, {
  message: 'needs a model that was trained with a router, and none is served here',
});

/** `{ token_merging, token_pruning, visual_budget, draft_verification }`, as in request bodies and in configuration files. */
export const efficiencySchema = z
  .strictObject({
    profile: z.literal('exact').nullish(),
    token_merging: z.union([off, tokenMerging]).nullish(),
    token_pruning: z.union([off, tokenPruning]).nullish(),
    visual_budget: z.union([off, visualBudget]).nullish(),
    mixture_of_depths: needsRouter.optional(),
    draft_verification: z.union([off, z.enum(['off', 'auto']), draftVerification]).nullish(),
  })
  .transform(
    ({ profile, token_merging, token_pruning, visual_budget, draft_verification }): EfficiencyOptions => ({
      ...(profile === 'exact' && { tokenMerging: false, tokenPruning: false, visualBudget: false }),
      ...(token_merging != null && { tokenMerging: token_merging }),
      ...(token_pruning != null && { tokenPruning: token_pruning }),
      ...(visual_budget != null && { visualBudget: visual_budget }),
      ...(draft_verification != null && { draftVerification: draftsOf(draft_verification) }),
    }),
  );

/** Lays the options of a request over those of its model and of the server, the nearest first. */
export function efficiencyPlan(...nearestFirst: readonly EfficiencyOptions[]): EfficiencyPlan {
  return {
    tokenMerging: nearest(nearestFirst.map((options) => options.tokenMerging)),
    tokenPruning: nearest(nearestFirst.map((options) => options.tokenPruning)),
    visualBudget: nearest(nearestFirst.map((options) => options.visualBudget)),
    draftVerification: nearest(nearestFirst.map((options) => options.draftVerification)),
  };
}

function nearest<T extends object>(choices: readonly (T | false | undefined)[]): T | undefined {
  return choices.find((choice) => choice !== undefined) || undefined;
}
