/** node-llama-cpp: one context with room for all sequences; their shared start is copied by way of a state file. */

import { rmSync } from 'node:fs';
import { getLlama, type Llama, type LlamaContextSequence, LlamaLogLevel, type Token } from 'node-llama-cpp';
import { ensureGguf, type GgufType } from '../gguf-writer.js';
import { ggufFile, type ModelName } from '../shapes.js';
import { type Contender, type Room, threads } from './contender.js';

const greedy = { temperature: 0, yieldEogToken: true } as const;

export class NodeLlamaCpp implements Contender {
  readonly #model: ModelName;
  readonly #type: GgufType;
  #llama: Llama | undefined;
  #sequences: LlamaContextSequence[] = [];

  constructor(model: ModelName, type: GgufType) {
    this.#model = model;
    this.#type = type;
  }

  async load({ sequences, tokens }: Room): Promise<void> {
    const logLevel = LlamaLogLevel.error;
    this.#llama = await getLlama({ gpu: false, build: 'never', maxThreads: threads, logLevel });
    const model = await this.#llama.loadModel({ modelPath: await ensureGguf(this.#model, this.#type) });
    const context = await model.createContext({ sequences, contextSize: tokens, threads });
    this.#sequences = Array.from({ length: sequences }, () => context.getSequence());
  }

  async prefill(prompt: readonly number[]): Promise<void> {
    const sequence = this.#sequences[0]!;
    await sequence.clearHistory();
    const tokens = sequence.evaluate(prompt as Token[], greedy);
    await tokens.next();
    await tokens.return();
  }

  async decode(sequences: number, steps: number): Promise<number[]> {
    const running = this.#sequences.slice(0, sequences);
    await this.#sequences[0]!.saveStateToFile(this.#stateFile);
    for (const sequence of running.slice(1)) {
      await sequence.loadStateFromFile(this.#stateFile, { acceptRisk: true });
    }
    const streams = running.map((sequence, index) => sequence.evaluate([index as Token], greedy));
    const step = () => Promise.all(streams.map((stream) => stream.next()));
    await step();
    const times: number[] = [];
    for (let count = 0; count < steps; count++) {
      const start = performance.now();
      await step();
      times.push(performance.now() - start);
    }
    await Promise.all(streams.map((stream) => stream.return()));
    await this.#restore();
    return times;
  }

  async close(): Promise<void> {
    rmSync(this.#stateFile, { force: true });
    await this.#llama?.dispose();
  }

  /** Takes the first sequence back to the prompt and empties the others. */
  async #restore(): Promise<void> {
    await this.#sequences[0]!.loadStateFromFile(this.#stateFile, { acceptRisk: true });
    for (const sequence of this.#sequences.slice(1)) await sequence.clearHistory();
  }

  get #stateFile(): string {
    return `${ggufFile(this.#model, this.#type)}.state`;
  }
}
