/** Entry of a thread that helps with steps: sleeps until the next one, runs its share, until it is told to end. */

import { parentPort, workerData } from 'node:worker_threads';
import { DecoderPass } from './decoder-pass.js';
import { instantiateKernels } from './kernel-set.js';
import { type HelperSetup, lastStep, stepCounter } from './team.js';

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
  Atomics.wait(control, stepCounter, step);
  step = Atomics.load(control, stepCounter);
  if (step === lastStep) break;
  pass.run();
}
