/**
 * Every decode step as it ran, as JSON lines: lanes, rows of all of them, accepted drafts, milliseconds, and those since the decode step before
 * it (choosing tokens, learning, drafting), which are null behind a prompt.
 */

import { appendFileSync } from 'node:fs';
import type { ForwardRequest, Runner } from '../../src/engine/runner/runner.js';

/** Writes a step for each step of decoding lanes, with what `about` says at that time. */
export class StepLog {
  readonly #path: string;
  #about: object = {};
  #lines: string[] = [];
  #step: { lanes: number; n: number; accepted: number; ms: number; gapMs: number | null } | undefined;
  #endedAt: number | null = null;

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
      const endedAt = performance.now();
      const gapMs = this.#endedAt === null ? null : rounded(startedAt - this.#endedAt);
      this.#endedAt = decodes(request) ? endedAt : null;
      if (decodes(request)) {
        const { lanes, rows } = request;
        this.#step = { lanes, n: lanes * rows, accepted: 0, ms: rounded(endedAt - startedAt), gapMs };
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
    this.#lines.push(JSON.stringify({ ...this.#about, ...this.#step }));
    this.#step = undefined;
  }
}

const rounded = (ms: number): number => Number(ms.toFixed(3));

const decodes = ({ rows, trees }: ForwardRequest): boolean => rows === 1 || trees !== undefined;
