/** All kernels for the shape of a model, as one module. */

import { setFlagsFromString } from 'node:v8';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { attentionKernel } from './attention.js';
import { fetchKernel } from './fetch.js';
import { joinKernel } from './join.js';
import { keepKernel } from './keep.js';
import { matmulKernel } from './matmul.js';
import { meetingKernel } from './meeting.js';
import { peaksKernel } from './peaks.js';
import { rotaryKernel } from './rotary.js';
import { addKernel, gatedKernel, quantizeKernel, rmsNormKernel } from './rows.js';
import { encodeModule } from './wasm/module.js';

/** Takes byte addresses and numbers; which ones, the file of the kernel says. */
type Call = (...integers: number[]) => void;

export interface KernelSet {
  readonly attend: Call;
  readonly fetch: Call;
  readonly join: Call;
  readonly keep: Call;
  readonly matmul: Call;
  readonly matmulAdd: Call;
  readonly meet: Call;
  readonly peaks: Call;
  readonly rotary: Call;
  readonly add: Call;
  readonly gated: Call;
  readonly quantize: Call;
  readonly rmsNorm: Call;
}

/** Undefined where the engine does not know the instructions. */
export function compileKernels(config: DecoderConfig): WebAssembly.Module | undefined {
  const bytes = encodeModule([
    attentionKernel(config),
    fetchKernel(),
    joinKernel(config),
    keepKernel(config),
    matmulKernel('matmul', false),
    matmulKernel('matmulAdd', true),
    meetingKernel(),
    peaksKernel(),
    rotaryKernel(config),
    addKernel(),
    gatedKernel(),
    quantizeKernel(),
    rmsNormKernel(config.rmsNormEps),
  ]);
  // Node 20 knows relaxed SIMD, but only shows it when asked.
  if (!WebAssembly.validate(bytes)) setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes) ? optimized(bytes) : undefined;
}

/** Compiled once and well: the quick first code is many times slower, and may round products and sums otherwise. */
function optimized(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  setFlagsFromString('--no-liftoff');
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString('--liftoff');
  }
}

export function instantiateKernels(module: WebAssembly.Module, memory: WebAssembly.Memory): KernelSet {
  const { exports } = new WebAssembly.Instance(module, { host: { memory } });
  return exports as unknown as KernelSet;
}
