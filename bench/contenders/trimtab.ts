/** trimtab's runner without server and scheduler: prompts in chunks, all sequences in one step, greedy. */

import { rmSync } from 'node:fs';
import { argmax } from '../../src/decoding/argmax.js';
import { engineConfigSchema } from '../../src/engine/config.js';
import { loadModel } from '../../src/engine/model-loader.js';
import type { Runner } from '../../src/engine/runner/runner.js';
import { SlabBudget } from '../../src/engine/scheduler/slab-budget.js';
import { ensureCheckpoint } from '../random-checkpoint.js';
import type { ModelName } from '../shapes.js';
import { compiledFolder, type TrimtabWeights } from '../trimtab-server.js';
import { type Contender, threads } from './contender.js';

const { prefillChunk } = engineConfigSchema.parse({});

export class Trimtab implements Contender {
  readonly #model: ModelName;
  readonly #weights: TrimtabWeights;
  readonly #optimizeFor: 'latency' | 'throughput';
  #runner: Runner | undefined;
  #prompt = 0;

  constructor(model: ModelName, weights: TrimtabWeights, optimizeFor: 'latency' | 'throughput' = 'latency') {
    this.#model = model;
    this.#weights = weights;
    this.#optimizeFor = optimizeFor;
  }

  async load(): Promise<void> {
    const { runner } = await loadModel({
      id: this.#model,
      folder: await ensureCheckpoint(this.#model),
      weights: this.#weights,
      optimizeFor: this.#optimizeFor,
      cacheDir: compiledFolder(this.#model),
      threads,
    });
    this.#runner = runner;
  }

  async prefill(prompt: readonly number[]): Promise<void> {
    const { cache } = this.#loaded;
    this.#prompt = prompt.length;
    this.#reserve(1, prompt.length);
    cache.truncate(0, 0);
    for (let from = 0; from < prompt.length; from += prefillChunk) {
      const chunk = Int32Array.from(prompt.slice(from, from + prefillChunk));
      const isLast = from + chunk.length === prompt.length;
      await this.#forward(1, chunk, isLast ? [chunk.length - 1] : []);
    }
  }

  async decode(sequences: number, steps: number): Promise<number[]> {
    this.#reserve(sequences, this.#prompt + steps + 1);
    this.#copyPrompt(sequences);
    const rows = Array.from({ length: sequences }, (_, index) => index);
    let tokens = await this.#forward(sequences, Int32Array.from(rows), rows);
    const times: number[] = [];
    for (let count = 0; count < steps; count++) {
      const start = performance.now();
      tokens = await this.#forward(sequences, tokens, rows);
      times.push(performance.now() - start);
    }
    this.#loaded.cache.truncate(0, this.#prompt);
    return times;
  }

  async close(): Promise<void> {
    await this.#runner?.close();
  }

  async forget(): Promise<void> {
    rmSync(compiledFolder(this.#model), { recursive: true, force: true });
  }

  get #loaded(): Runner {
    if (!this.#runner) throw new Error('not loaded');
    return this.#runner;
  }

  /** Runs the lanes `[0, lanes)` and returns the most likely token of each wanted row. */
  async #forward(lanes: number, tokenIds: Int32Array, logitRows: readonly number[]): Promise<Int32Array> {
    const logits = await this.#loaded.forward({
      firstLane: 0,
      lanes,
      rows: tokenIds.length / lanes,
      tokenIds,
      logitRows: Int32Array.from(logitRows),
    });
    const { vocabSize } = this.#loaded;
    return Int32Array.from(logitRows, (_, row) =>
      argmax(logits.subarray(row * vocabSize, (row + 1) * vocabSize)),
    );
  }

  /** Shapes the cache as the scheduler does, slack included. */
  #reserve(lanes: number, tokens: number): void {
    const slab = new SlabBudget(this.#loaded.cache, Number.MAX_SAFE_INTEGER);
    slab.trim(lanes, tokens);
    slab.reserve(lanes, tokens);
  }

  #copyPrompt(sequences: number): void {
    const { cache } = this.#loaded;
    const rows = cache.read(0, 0, this.#prompt);
    for (let lane = 1; lane < sequences; lane++) {
      cache.truncate(lane, 0);
      cache.append(lane, rows);
    }
  }
}
