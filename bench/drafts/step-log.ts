/** Every decode step as it ran: rows, accepted drafts and milliseconds, as JSON lines. */

import { appendFileSync } from 'node:fs';
import type { ForwardRequest, Runner } from '../../src/engine/runner/runner.js';

/** Writes a step for each step of decoding lanes, with what `about` says at that time. */
export class StepLog {
  readonly #path: string;
  #about: object = {};
  #lines: string[] = [];
  #step: { n: number; accepted: number; ms: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** What the steps to come belong to; writes those that came. */
  begin(about: object): void {
    this.flush();
    this.#about = about;
  }

  flush(): void {
    this.#endStep();
    if (this.#lines.length > 0) appendFileSync(this.#path, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }

  /** The same runner, whose steps are written down; its own methods are replaced. */
  watch(runner: Runner): void {
    const forward = runner.forward.bind(runner);
    runner.forward = async (request) => {
      this.#endStep();
      const startedAt = performance.now();
      const logits = await forward(request);
      if (decodes(request)) {
        this.#step = { n: request.lanes * request.rows, accepted: 0, ms: performance.now() - startedAt };
      }
      return logits;
    };
    const { cache } = runner;
    const keep = cache.keep.bind(cache);
    cache.keep = (lane, from, rows) => {
      if (this.#step !== undefined) this.#step.accepted += rows.length - 1;
      keep(lane, from, rows);
    };
  }

  #endStep(): void {
    if (this.#step === undefined) return;
    const ms = Number(this.#step.ms.toFixed(3));
    this.#lines.push(JSON.stringify({ ...this.#about, ...this.#step, ms }));
    this.#step = undefined;
  }
}

const decodes = ({ rows, trees }: ForwardRequest): boolean => rows === 1 || trees !== undefined;
