/**
 * What an image costs before the decoder: decoding a photograph of 12 megapixels, scaling it as each family does, and
 * one tile through towers of published shapes with random weights. `tsx images.ts [--repeats 5] [--weights fp32] [--only SmolVLM]`
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { rowWidth, type TensorInfo } from '../src/engine/checkpoint/safetensors.js';
import type { TowerConfig, VisionConfig } from '../src/engine/checkpoint/vision-config.js';
import { patchesPerSide } from '../src/engine/checkpoint/vision-config.js';
import { visionShapes } from '../src/engine/checkpoint/vision-tensors.js';
import { CompiledEyes } from '../src/engine/compiler/compiled-eyes.js';
import type { RowReader } from '../src/engine/compiler/weight-file.js';
import { decodeImage, measureImage } from '../src/engine/vision/decode-image.js';
import { VisionEncoder } from '../src/engine/vision/encoder.js';
import type { Filter } from '../src/engine/vision/resample.js';
import { resample } from '../src/engine/vision/resample.js';
import { threads } from './contenders/contender.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';

const { values: flags } = parseArgs({
  options: {
    repeats: { type: 'string', default: '5' },
    weights: { type: 'string', default: 'int8' },
    only: { type: 'string', default: '' },
  },
});
const repeats = Number(flags.repeats);
const weights = flags.weights === 'fp32' ? 'fp32' : 'int8';
const photo = { width: 4000, height: 3000 };
const limits = { maxBytes: 1e8, maxPixels: 1e8 };

const scalings: readonly (readonly [string, number, number, Filter])[] = [
  ['scale to nano, 96 × 96', 96, 96, 'bicubic'],
  ['scale to LLaVA-1.5, 448 × 336', 448, 336, 'bicubic'],
  ['scale to SigLIP, 384 × 384', 384, 384, 'bicubic'],
  ['scale to SmolVLM, 2048 × 1536', 2048, 1536, 'lanczos'],
];

const base: Omit<
  TowerConfig,
  'kind' | 'hiddenSize' | 'intermediateSize' | 'layers' | 'heads' | 'imageSize' | 'patchSize'
> = { activation: 'gelu_pytorch_tanh', layerNormEps: 1e-6, tensorPrefix: '' };
const towers: Readonly<Record<string, TowerConfig>> = {
  'nano, SigLIP 128 wide, 96 px': {
    ...base,
    kind: 'siglip',
    hiddenSize: 128,
    intermediateSize: 384,
    layers: 4,
    heads: 4,
    imageSize: 96,
    patchSize: 8,
  },
  'SmolVLM-256M, SigLIP-B/16, 512 px': {
    ...base,
    kind: 'siglip',
    hiddenSize: 768,
    intermediateSize: 3072,
    layers: 12,
    heads: 12,
    imageSize: 512,
    patchSize: 16,
  },
  'LLaVA-1.5, CLIP-L/14, 336 px': {
    ...base,
    kind: 'clip',
    hiddenSize: 1024,
    intermediateSize: 4096,
    layers: 24,
    heads: 16,
    imageSize: 336,
    patchSize: 14,
  },
};

const jpeg = await photograph();
const picture = await decodeImage(jpeg, limits, 'photo');
const steps: Readonly<Record<string, () => Promise<number>>> = {
  'read the header': () => medianMs(() => measureImage(jpeg, limits, 'photo')),
  'decode the JPEG': () => medianMs(() => decodeImage(jpeg, limits, 'photo')),
  ...Object.fromEntries(
    scalings.map(([name, width, height, filter]) => [
      name,
      () => medianMs(async () => resample(picture, { width, height }, filter)),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(towers).map(([name, tower]) => [`encode a tile: ${name}`, () => encodeMs(tower)]),
  ),
};
const results: Record<string, number> = {};
for (const [name, run] of Object.entries(steps)) if (name.includes(flags.only)) results[name] = await run();

const rows = Object.entries(results).map(([name, ms]) => [name, formatNumber(ms)]);
console.log(
  `One image of ${photo.width} × ${photo.height}, ${(jpeg.length / 1e6).toFixed(1)} MB, ${weights} eyes, median of ${repeats}\n`,
);
console.log(formatTable(['step', 'ms'], rows));
console.log(JSON.stringify({ bench: 'images', weights, threads, repeats, results }));

/** Soft noise, which compresses like a photograph. */
async function photograph(): Promise<Buffer> {
  const raw = Uint8Array.from(
    { length: photo.width * photo.height * 3 },
    (_, i) => Math.imul(i, 2654435761) >>> 24,
  );
  return sharp(raw, { raw: { ...photo, channels: 3 } })
    .blur(2)
    .jpeg({ quality: 88 })
    .toBuffer();
}

/** One tile through tower and projector. */
async function encodeMs(tower: TowerConfig): Promise<number> {
  const config = eyesOf(tower);
  const folder = mkdtempSync(join(tmpdir(), 'trimtab-bench-'));
  try {
    const eyes = new CompiledEyes(config, { weights, activations: 'fp32' }, folder, 'random');
    eyes.write(randomWeights(config), () => {});
    const encoder = await VisionEncoder.load(eyes, threads);
    const patches = new Float32Array(patchesPerSide(tower) ** 2 * 3 * tower.patchSize ** 2).fill(0.1);
    const ms = await medianMs(async () => encoder.project(await encoder.encode(1, () => patches)));
    await encoder.close();
    return ms;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function eyesOf(tower: TowerConfig): VisionConfig {
  return {
    family: 'llava',
    tower,
    featureLayers: tower.layers - 1,
    finalNorm: false,
    keepsClassToken: false,
    projector: { kind: 'mlp', activation: 'gelu', bias: true, tensorPrefix: '' },
    outputSize: 576,
    imageTokenId: 0,
    videoTokenId: undefined,
    anyResolution: undefined,
  };
}

/** A checkpoint that nobody trained, made up as it is read. */
function randomWeights(config: VisionConfig): RowReader {
  const shapes = visionShapes(config);
  const info = (name: string): TensorInfo => ({
    name,
    dtype: 'F32',
    shape: shapes.get(name)!,
    file: 'random',
    byteOffset: 0,
    byteLength: 0,
  });
  return {
    tensor: info,
    readRows: (tensor, first, rows) => {
      const values = new Float32Array(rows * rowWidth(tensor));
      for (let i = 0; i < values.length; i++) values[i] = Math.imul(i + first, 2654435761) / 2 ** 37;
      return values;
    },
  };
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const samples: number[] = [];
  for (let i = 0; i <= repeats; i++) {
    const startedAt = performance.now();
    await work();
    samples.push(performance.now() - startedAt);
  }
  return median(samples.slice(1));
}
