/**
 * Which kernels a prompt should get on this machine. With many rows, unpacking quantised weights to float32 may beat
 * rounding activations to int8 (1.5 times faster on a Xeon with AVX-512, 1.15 times slower on a Zen 4), but those
 * kernels need a session, and so a packed copy of the weights, of their own.
 */

import type { CompiledModel } from '../compiler/compiled-model.js';
import { probeNames } from '../models/probe.js';
import { floats, OrtSession } from './ort-session.js';

const rows = 128;
const repeats = 8;
/** How much faster they must be to be worth the memory. */
const worthwhile = 1.2;
/** What takes less is quick either way, and too short to tell: a model must not answer differently from one start to the next. */
const worthAskingMs = 1;

/** Times one projection with both kinds of kernels; takes some fifty milliseconds. */
export async function promptKernelsPay(model: CompiledModel, threads: number): Promise<boolean> {
  if (!model.hasPromptKernels) return false;
  const shared = await fastest(model.probePath('int8'), model.config.hiddenSize, threads);
  if (shared < worthAskingMs) return false;
  const own = await fastest(model.probePath('fp32'), model.config.hiddenSize, threads);
  return own * worthwhile < shared;
}

/** Milliseconds. */
async function fastest(path: string, width: number, threads: number): Promise<number> {
  const session = await OrtSession.load(path, threads);
  const x = floats(new Float32Array(rows * width).fill(1), [rows, width]);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run <= repeats; run++) {
    const startedAt = performance.now();
    await session.run({ [probeNames.input]: x }, { [probeNames.output]: null });
    // The first run packs and allocates.
    if (run > 0) best = Math.min(best, performance.now() - startedAt);
  }
  await session.release();
  return best;
}
