/**
 * One session per variant of the graph and phase, loaded when a batch first needs it. All read the same weight
 * file. Those of the plain variant stay; others are released when they have not run for a while.
 */

import type { CompiledModel } from '../compiler/compiled-model.js';
import type { Variant } from '../graph/pipeline.js';
import { plainVariant, variantName } from '../graph/pipeline.js';
import type { Phase } from '../models/phase.js';
import { OrtSession } from './ort-session.js';

interface Loaded {
  readonly session: OrtSession;
  readonly stays: boolean;
  lastUsed: number;
}

const stayingPhases: ReadonlySet<Phase> = new Set(['step', 'prompt']);
const idleMs = 5 * 60_000;

export class VariantSessions {
  readonly #model: CompiledModel;
  readonly #threads: number;
  readonly #profilePrefix: string | undefined;
  readonly #loaded = new Map<string, Loaded>();
  readonly #now: () => number;

  constructor(
    model: CompiledModel,
    threads: number,
    now: () => number = Date.now,
    profilePrefix: string | undefined = undefined,
  ) {
    this.#model = model;
    this.#threads = threads;
    this.#now = now;
    this.#profilePrefix = profilePrefix;
  }

  get names(): readonly string[] {
    return [...this.#loaded.keys()];
  }

  async get(variant: Variant, phase: Phase = 'step', promptKernels = true): Promise<OrtSession> {
    const name = `${variantName(variant)}/${phase}`;
    const known = this.#loaded.get(name);
    if (known !== undefined) {
      known.lastUsed = this.#now();
      return known.session;
    }
    await this.#releaseIdle();
    const prefix = this.#profilePrefix && `${this.#profilePrefix}.${phase}`;
    const path = this.#model.variantPath(variant, phase, promptKernels);
    const session = await OrtSession.load(path, this.#threads, prefix);
    const stays = variantName(variant) === variantName(plainVariant) && stayingPhases.has(phase);
    this.#loaded.set(name, { session, stays, lastUsed: this.#now() });
    return session;
  }

  async close(): Promise<void> {
    for (const { session } of this.#loaded.values()) await session.release();
    this.#loaded.clear();
  }

  async #releaseIdle(): Promise<void> {
    for (const [name, { session, stays, lastUsed }] of this.#loaded) {
      if (stays || this.#now() - lastUsed < idleMs) continue;
      this.#loaded.delete(name);
      await session.release();
    }
  }
}
