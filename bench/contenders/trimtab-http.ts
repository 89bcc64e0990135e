/** trimtab whole: a server process, token ids in, a stream of events out. */

import { rmSync } from 'node:fs';
import type { ModelName } from '../shapes.js';
import { compiledFolder, TrimtabServer } from '../trimtab-server.js';
import type { Contender } from './contender.js';

export class TrimtabHttp implements Contender {
  readonly #model: ModelName;
  #server: TrimtabServer | undefined;
  #prompt: readonly number[] = [];

  constructor(model: ModelName) {
    this.#model = model;
  }

  async load(): Promise<void> {
    this.#server = await TrimtabServer.start(this.#model, 'int4');
  }

  async prefill(prompt: readonly number[]): Promise<void> {
    this.#prompt = prompt;
    await drain(this.#started.complete({ prompt, maxTokens: 1, cachePrompt: false }));
  }

  /**
   * The prefix cache hands the prompt to all requests. Frames arrive in bursts, so this is the mean step of the
   * first stream while all of them run.
   */
  async decode(sequences: number, steps: number): Promise<number[]> {
    const warmUp = 8;
    const request = (index: number) => ({
      prompt: [...this.#prompt, index],
      maxTokens: steps + warmUp,
      cachePrompt: true,
    });
    await drain(this.#started.complete({ prompt: this.#prompt, maxTokens: 1, cachePrompt: true }));
    const streams = Array.from({ length: sequences }, (_, index) =>
      collect(this.#started.complete(request(index))),
    );
    const times = await Promise.all(streams);
    const allRunning = Math.max(...times.map((of) => of[0]!));
    const anyDone = Math.min(...times.map((of) => of.at(-1)!));
    const shared = times[0]!.filter((time) => time >= allRunning && time <= anyDone);
    return [(shared.at(-1)! - shared[0]!) / (shared.length - 1)];
  }

  peakMebibytes(): number {
    return this.#started.peakMebibytes();
  }

  async close(): Promise<void> {
    await this.#server?.stop();
  }

  async forget(): Promise<void> {
    rmSync(compiledFolder(this.#model), { recursive: true, force: true });
  }

  get #started(): TrimtabServer {
    if (!this.#server) throw new Error('not started');
    return this.#server;
  }
}

async function collect(times: AsyncGenerator<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const time of times) all.push(time);
  return all;
}

async function drain(times: AsyncGenerator<number>): Promise<void> {
  await collect(times);
}
