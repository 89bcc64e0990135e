/** A real trimtab server in a process of its own, and the little of HTTP that the measurements need. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { threads } from './contenders/contender.js';
import { ensureCheckpoint } from './random-checkpoint.js';
import { checkpointFolder, type ModelName } from './shapes.js';

export type TrimtabWeights = 'int4' | 'int8';

/** Compiled files, shared by all measurements of trimtab. */
export const compiledFolder = (model: ModelName): string => `${checkpointFolder(model)}.compiled`;

export interface CompletionOptions {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly cachePrompt: boolean;
}

export class TrimtabServer {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** Resolves when the server can answer. */
  static async start(model: ModelName, weights: TrimtabWeights): Promise<TrimtabServer> {
    const folder = await ensureCheckpoint(model);
    const flags = {
      model: folder,
      weights,
      threads,
      port: 0,
      'cache-folder': compiledFolder(model),
      'log-level': 'error',
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const script = join(import.meta.dirname, 'serve.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, 'serve', ...args], {
      cwd: import.meta.dirname,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    return new TrimtabServer(child, await announcedUrl(child));
  }

  /** Arrival times (ms) of the tokens of one streamed completion; end-of-sequence is ignored. */
  async *complete({ prompt, maxTokens, cachePrompt }: CompletionOptions): AsyncGenerator<number> {
    const response = await fetch(`${this.#url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: await this.#modelId(),
        prompt,
        max_tokens: maxTokens,
        temperature: 0,
        ignore_eos: true,
        // Random weights repeat themselves, and nothing drafts as well as what repeats.
        efficiency: { draft_verification: 'off' },
        cache_prompt: cachePrompt,
        stream: true,
      }),
    });
    if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      const frames = text.split('\n').filter((line) => line.startsWith('data: {')).length;
      for (let frame = 0; frame < frames; frame++) yield performance.now();
    }
  }

  /** Values of one metric by its labels; reading the event-loop delay starts a new measurement of it. */
  async metric(name: string): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.#url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
    return new Map(
      lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
    );
  }

  /** Largest resident memory so far, MiB. */
  peakMebibytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1024;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }

  async #modelId(): Promise<string> {
    this.#knownModel ??= fetch(`${this.#url}/v1/models`)
      .then((response) => response.json())
      .then((list) => (list as { data: { id: string }[] }).data[0]!.id);
    return this.#knownModel;
  }

  #knownModel: Promise<string> | undefined;
}

function announcedUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const url = / at (http:\/\/\S+)\/v1/.exec(output);
      if (url) resolve(url[1]!);
    });
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}: ${output}`)));
  });
}
