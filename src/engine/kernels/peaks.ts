/** The largest of every run of logits, while they are still near the core that computed them. */

import { peakRun } from '../../decoding/logit-row.js';
import { laneSum, lanesMaximum } from './rows.js';
import { f32, f32x4, forRange, steps, v128, vectorBytes } from './wasm/code.js';
import { Kernel } from './wasm/module.js';

/** For `runs` runs one behind another. A peak is NaN where a logit is not finite: of those 0 · x is no number. */
export function peaksKernel(): Kernel {
  const kernel = new Kernel('peaks', ['logits', 'runs', 'peaks']);
  const { logits, runs, peaks } = kernel.parameters;
  const { run } = kernel.variables('i32', 'run');
  const { most, x, nothing } = kernel.variables('v128', 'most', 'x', 'nothing');
  const total = laneSum(kernel);
  return kernel.body(
    forRange(
      run,
      0,
      runs.get,
      1,
      most.set(v128.load(logits.get)),
      nothing.set(v128.zero),
      steps(4 * peakRun, vectorBytes).map((place) => [
        x.set(v128.load(logits.get, place)),
        most.set(f32x4.max(most.get, x.get)),
        nothing.set(f32x4.multiplyAdd(x.get, v128.zero, nothing.get)),
      ]),
      lanesMaximum(most),
      f32.store(peaks.get, f32.add(f32x4.lane(most.get, 0), total(nothing.get))),
      logits.advance(4 * peakRun),
      peaks.advance(4),
    ),
  );
}
