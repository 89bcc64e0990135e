/**
 * Prompts that drop tokens, pass by pass: chunks of tokens pass the layers below pruning one after another, then all
 * tokens pass the others, as many layers at once as the caller likes. The lane says how far they are.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { PrunedPrompt, type Waiting, waitingRows } from '../kv-cache/pruned-prompt.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import { tokensEntering } from '../visual-tokens/pruning-schedule.js';
import type { Tensor } from './ort-session.js';
import { type PassingRows, PruningRun } from './pruning-run.js';
import type { PromptPruning } from './runner.js';

/** Runs rows through the graph. */
export type Pass = (rows: PassingRows, run: PruningRun) => Promise<Readonly<Record<string, Tensor>>>;

export class PromptPasses {
  readonly #config: DecoderConfig;
  readonly #cache: SlabLaneCache;

  constructor(config: DecoderConfig, cache: SlabLaneCache) {
    this.#config = config;
    this.#cache = cache;
  }

  /** `count` tokens behind those of the lane; `embed` fills their rows. */
  async lower(
    lane: number,
    count: number,
    { layers: { first: end } }: PromptPruning,
    embed: (rows: Float32Array) => void,
    pass: Pass,
  ): Promise<void> {
    const { layers } = this.#config;
    const before = this.#cache.length(lane);
    const held = this.#cache.pruned(lane);
    const begun = held?.waiting === undefined ? undefined : held;
    const rows: PassingRows = {
      tokens: Int32Array.from({ length: count }, (_, i) => before + i),
      before,
      from: 0,
      to: end,
      entering: Array<number>(layers).fill(count),
      staying: Array<number>(layers).fill(count),
      isFixed: new Uint8Array(count).fill(1),
    };
    const run = new PruningRun(this.#config, rows);
    embed(run.embeddings);
    await pass(rows, run);
    const waiting: Waiting = { layer: end, rows: [...(begun?.waiting?.rows ?? []), run.leaving!] };
    const [first, base] = begun === undefined ? [before, held] : [begun.first, begun.base];
    const next = PrunedPrompt.waitingBehind(first, layers, waiting, base);
    this.#cache.appendPruned(lane, next, run.newKeys, run.newValues);
  }

  /** All tokens through the next layers; the logits `[vocab]` of the last one if none is left. */
  async upper(lane: number, pruning: PromptPruning, pass: Pass): Promise<Float32Array | undefined> {
    const { layers } = this.#config;
    const prompt = this.#cache.pruned(lane)!;
    const { first, length, base } = prompt;
    const rows = this.#rising(prompt, pruning);
    const run = new PruningRun(this.#config, rows);
    const results = await pass(rows, run);
    const none = new Int32Array(0);
    const kept = Array.from({ length: layers }, (_, layer) => {
      if (layer >= rows.to) return none;
      return layer < rows.from ? prompt.kept(layer) : run.entered(layer, results);
    });
    const waiting = run.leaving && {
      layer: rows.to,
      tokens: run.entered(rows.to, results),
      rows: [run.leaving],
    };
    const next = new PrunedPrompt(first, length, kept, { waiting, base });
    this.#cache.appendPruned(lane, next, run.newKeys, run.newValues);
    return results.logits?.data as Float32Array | undefined;
  }

  /** The rows that wait, on their way through the next layers. */
  #rising({ first, waiting }: PrunedPrompt, { droppable, layers, mostLayers }: PromptPruning): PassingRows {
    const { layers: end } = this.#config;
    const isFixed = droppable.map((flag) => 1 - flag);
    isFixed[droppable.length - 1] = 1;
    const fixed = isFixed.reduce((sum, flag) => sum + flag, 0);
    const entering = tokensEntering(end, droppable.length - fixed, fixed, layers);
    const { layer: from, tokens = Int32Array.from(droppable, (_, i) => first + i) } = waiting!;
    return {
      tokens,
      before: first,
      from,
      to: Math.min(end, from + (mostLayers ?? end)),
      entering,
      staying: entering.map((rows, layer) => entering[layer + 1] ?? rows),
      isFixed: Uint8Array.from(tokens, (token) => isFixed[token - first]!),
      joining: waitingRows(waiting!, 0, tokens.length),
    };
  }
}
