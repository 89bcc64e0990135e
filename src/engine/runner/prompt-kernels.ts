/**
 * Which kernels a prompt should get on this machine. With many rows, unpacking quantised weights to float32 may beat
 * rounding activations to int8 (1.5 times faster on a Xeon with AVX-512, 1.15 times slower on a Zen 4), but those
 * kernels need a session, and so a packed copy of the weights, of their own.
 */

import type { CompiledModel } from '../compiler/compiled-model.js';
import { probeNames } from '../models/probe.js';
import { floats, OrtSession, type Tensor } from './ort-session.js';

const rows = 128;
/** Of each kind at least, and until so many milliseconds have gone by: what takes little is easily disturbed. */
const leastRuns = 3;
const leastMs = 40;
/** How much faster they must be to be worth the memory. */
const worthwhile = 1.2;
/** What takes less is quick either way, and too short to tell: a model must not answer differently from one start to the next. */
const worthAskingMs = 1;

/** Times one projection with both kinds of kernels in turn; takes some ten milliseconds. */
export async function promptKernelsPay(model: CompiledModel, threads: number): Promise<boolean> {
  if (!model.hasPromptKernels) return false;
  const width = model.config.hiddenSize;
  const shared = await Probe.load(model.probePath('int8'), width, threads);
  const own = await Probe.load(model.probePath('fp32'), width, threads);
  const until = performance.now() + leastMs;
  for (let run = 0; run < leastRuns || performance.now() < until; run++) {
    await shared.run();
    await own.run();
  }
  await Promise.all([shared.release(), own.release()]);
  return shared.leastMs >= worthAskingMs && own.leastMs * worthwhile < shared.leastMs;
}

class Probe {
  leastMs = Number.POSITIVE_INFINITY;
  readonly #session: OrtSession;
  readonly #feeds: Record<string, Tensor>;

  private constructor(session: OrtSession, width: number) {
    this.#session = session;
    this.#feeds = { [probeNames.input]: floats(new Float32Array(rows * width).fill(1), [rows, width]) };
  }

  /** A first run packs and allocates, and does not count. */
  static async load(path: string, width: number, threads: number): Promise<Probe> {
    const probe = new Probe(await OrtSession.load(path, threads), width);
    await probe.run();
    probe.leastMs = Number.POSITIVE_INFINITY;
    return probe;
  }

  async run(): Promise<void> {
    const startedAt = performance.now();
    await this.#session.run(this.#feeds, { [probeNames.output]: null });
    this.leastMs = Math.min(this.leastMs, performance.now() - startedAt);
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}
