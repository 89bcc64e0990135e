import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { VisionConfig } from '../../../../src/engine/checkpoint/vision-config.js';
import { dump } from '../../../../src/engine/graph/dump.js';
import { lowerGraph } from '../../../../src/engine/graph/pipeline.js';
import { buildProjector } from '../../../../src/engine/models/vision-projector.js';
import { buildTower } from '../../../../src/engine/models/vision-tower.js';

const clip: VisionConfig = {
  family: 'llava',
  tower: {
    kind: 'clip',
    hiddenSize: 32,
    intermediateSize: 64,
    layers: 2,
    heads: 4,
    imageSize: 28,
    patchSize: 14,
    activation: 'quick_gelu',
    layerNormEps: 1e-5,
    tensorPrefix: 'vision_tower.',
  },
  featureLayers: 1,
  finalNorm: false,
  keepsClassToken: false,
  projector: { kind: 'mlp', activation: 'gelu', bias: true, tensorPrefix: 'multi_modal_projector.' },
  outputSize: 48,
  imageTokenId: 7,
  videoTokenId: undefined,
  anyResolution: undefined,
};
const siglip: VisionConfig = {
  ...clip,
  family: 'idefics3',
  tower: { ...clip.tower, kind: 'siglip', layers: 1, imageSize: 56, activation: 'gelu_pytorch_tanh' },
  finalNorm: true,
  projector: { kind: 'shuffle', factor: 2, tensorPrefix: 'connector.' },
};
const golden = (name: string) => fileURLToPath(new URL(`../../../golden/${name}.txt`, import.meta.url));
const fp32 = { weights: 'fp32', activations: 'fp32' } as const;
const int8 = { weights: 'int8', activations: 'fp32' } as const;

describe('the graphs of small eyes', () => {
  it.each([
    ['tower-clip-fp32', buildTower(clip), fp32],
    ['tower-siglip-int8', buildTower(siglip), int8],
    ['projector-mlp-fp32', buildProjector(clip), fp32],
    ['projector-shuffle-fp32', buildProjector(siglip), fp32],
  ] as const)('should read as in %s.txt', async (name, graph, precision) => {
    await expect(dump(lowerGraph(graph, precision))).toMatchFileSnapshot(golden(name));
  });
});
