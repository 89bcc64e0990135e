/** One image through merging and pruning, to see what was kept. */

import type { EfficiencyPlan } from '../core/efficiency.js';
import { TrimtabError } from '../core/errors.js';
import type { ImagePart, Prompt } from '../core/messages.js';
import type { LoadedModel } from './loaded-model.js';
import { computePrompt } from './sequence/lone-sequence.js';
import { planPruning } from './sequence/pruning-plan.js';
import { drawTokens } from './vision/draw-tokens.js';
import { encodePng } from './vision/encode-png.js';
import { visualPolicy } from './vision/reduce-visual-tokens.js';
import type { ExplainedImage, Vision } from './vision/vision.js';
import type { Look, PlannedVisual } from './vision/visual-planner.js';
import { PromptReader } from './worker/prompt-reader.js';

export interface InspectedImage {
  readonly png: Uint8Array;
  readonly encoded: number;
  readonly merged: number;
  /** Tokens of the prompt that enter each layer. */
  readonly perLayer: readonly number[];
}

/**
 * `question` stands behind the image. With more than one tile, the image has to be merged: unmerged tiles of some
 * families are cut and spaced anew, and their tokens have no place in a tile.
 * @throws {TrimtabError} unsupported_parameter for a model that reads text only
 */
export async function inspectImage(
  model: LoadedModel,
  image: ImagePart,
  question: string,
  plan: EfficiencyPlan,
): Promise<InspectedImage> {
  const vision = requireVision(model);
  const look = { policy: visualPolicy(plan.tokenMerging), budget: plan.visualBudget };
  const [planned] = await vision.plan([image], look);
  const explained = await vision.explain(planned!);
  requirePlaces(planned!, explained);
  const places = await computeImage(model, vision, promptOf(image, question), look, plan.tokenPruning);
  const stayed = spread(places.map((place) => layersOf(model.runner, place)));
  const groups = explained.tiles.length;
  const { tokens } = planned!.layout;
  const { layers } = model.runner.shape;
  return {
    png: await encodePng(drawTokens(explained, byGroup(stayed, groups, tokens))),
    encoded: planned!.fullRows,
    merged: places.length,
    perLayer: Array.from({ length: layers }, (_, layer) => rowsIn(model.runner, layer)),
  };
}

function requireVision({ vision }: LoadedModel): Vision {
  if (vision !== undefined) return vision;
  throw new TrimtabError('unsupported_parameter', '--image: this model reads text only', { param: 'image' });
}

function requirePlaces({ layout, fullRows }: PlannedVisual, { tiles, memberOf }: ExplainedImage): void {
  if (tiles.length === 1 || layout.side === undefined || fullRows === memberOf.length) return;
  const problem = '--keep: the tiles of this model can only be drawn merged, with a number below 1';
  throw new TrimtabError('unsupported_parameter', problem, { param: 'keep' });
}

/** Runs the prompt in lane 0 and returns the positions of its image tokens. */
async function computeImage(
  { runner, tokenizer }: LoadedModel,
  vision: Vision,
  prompt: Prompt,
  look: Look,
  tokenPruning: EfficiencyPlan['tokenPruning'],
): Promise<number[]> {
  const seen = await new PromptReader(tokenizer, vision).see(prompt, {
    maxTokens: runner.contextLength,
    look,
    check: () => {},
    isCancelled: () => false,
  });
  const { ids, images = [] } = seen!;
  const pruning = planPruning(tokenPruning, runner.shape.layers, ids.length, images);
  await computePrompt(runner, { ids, images, pruning });
  return images.flatMap(({ start, length }) => Array.from({ length }, (_, i) => start + i));
}

function promptOf(image: ImagePart, question: string): Prompt {
  return {
    kind: 'chat',
    messages: [{ role: 'user', content: [image, { type: 'text', text: question }] }],
    addGenerationPrompt: true,
    continueFinalMessage: false,
  };
}

type Runner = LoadedModel['runner'];

/** How many layers a token of the prompt entered. */
function layersOf({ cache, shape }: Runner, place: number): number {
  const pruned = cache.pruned(0);
  if (pruned === undefined) return shape.layers;
  let layers = 0;
  while (layers < shape.layers && pruned.rows(layers, place + 1) > pruned.rows(layers, place)) layers++;
  return layers;
}

function rowsIn({ cache }: Runner, layer: number): number {
  return cache.pruned(0)?.rows(layer, cache.length(0)) ?? cache.length(0);
}

/** To [0, 1], the largest being 1. */
function spread(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return values.map((value) => (most === least ? 1 : (value - least) / (most - least)));
}

/** Merged tokens of one group follow each other; what stands behind the last group is no patch. */
function byGroup(values: readonly number[], groups: number, tokens: number): number[][] {
  return Array.from({ length: groups }, (_, group) => values.slice(group * tokens, (group + 1) * tokens));
}
