/** Entry of a thread that helps with steps: sleeps until the next one, runs its share, until it is told to end. */

import { parentPort, workerData } from 'node:worker_threads';
import { DecoderPass } from './decoder-pass.js';
import { instantiateKernels } from './kernel-set.js';
import { type HelperSetup, lastStep, stepCounter } from './team.js';

/** The next step often follows within some ten microseconds, which is what waking up takes. */
const spins = 20_000;

const { module, memory, parts, thread } = workerData as HelperSetup;
const pass = new DecoderPass(
  parts,
  instantiateKernels(module, memory),
  thread,
  new Int32Array(memory.buffer),
);
const control = new Int32Array(memory.buffer, parts.room.control, stepCounter + 1);
let step = Atomics.load(control, stepCounter);
parentPort!.postMessage('ready');
for (;;) {
  for (let left = spins; left > 0 && Atomics.load(control, stepCounter) === step; left--);
  Atomics.wait(control, stepCounter, step);
  step = Atomics.load(control, stepCounter);
  if (step === lastStep) break;
  pass.run();
}
