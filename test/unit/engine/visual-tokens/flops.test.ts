import { describe, expect, it } from 'vitest';
import { aimPublishedFlops, modPublishedFlops } from '../../../../bench/published-flops.js';
import { headFlops, layerFlops, mergeStepFlops } from '../../../../src/engine/visual-tokens/flops.js';
import { tokensEntering } from '../../../../src/engine/visual-tokens/pruning-schedule.js';

const qwen7b = {
  layers: 28,
  hiddenSize: 3584,
  heads: 28,
  kvHeads: 4,
  headDim: 128,
  intermediateSize: 18_944,
  vocabSize: 152_064,
};
const vicuna7b = {
  layers: 32,
  hiddenSize: 4096,
  heads: 32,
  kvHeads: 32,
  headDim: 128,
  intermediateSize: 11_008,
  vocabSize: 32_000,
};
const vicuna13b = {
  ...vicuna7b,
  layers: 40,
  hiddenSize: 5120,
  heads: 40,
  kvHeads: 40,
  intermediateSize: 13_824,
};

const same = (layers: number, tokens: number): number[] => Array<number>(layers).fill(tokens);
/** The paper counts a layer by the tokens that are left after it. */
const leaving = (entering: readonly number[]): number[] => [...entering.slice(1), entering.at(-1)!];
const tera = (flops: number): string => (flops / 1e12).toFixed(3);

describe('the published costs', () => {
  it.each([
    ['99.627', same(28, 6372)],
    ['46.482', same(28, 3236)],
    ['22.899', same(28, 1668)],
    ['14.757', leaving(tokensEntering(28, 1568, 100, { first: 14, end: 22 }))],
    ['99.275', leaving(tokensEntering(28, 9408, 100, { first: 14, end: 22 }))],
    ['15.528', tokensEntering(28, 1568, 100, { first: 14, end: 22 })],
  ])('%s TFLOPs on Qwen2-7B', (expected, tokens) => {
    expect(tera(aimPublishedFlops(qwen7b, tokens, 17))).toBe(expected);
  });

  it.each([
    ['8.181', same(32, 616)],
    ['2.223', leaving(tokensEntering(32, 252, 40, { first: 13, end: 21 }))],
    ['1.003', leaving(tokensEntering(32, 72, 40, { first: 13, end: 21 }))],
  ])('%s TFLOPs on Vicuna-7B', (expected, tokens) => {
    expect(tera(aimPublishedFlops(vicuna7b, tokens, 18))).toBe(expected);
  });

  it('of mixture of depths', () => {
    expect([0, 0.379, 0.577].map((skip) => tera(modPublishedFlops(vicuna7b, 1400, skip)))).toEqual([
      '19.160',
      '12.590',
      '9.265',
    ]);
    expect(
      [0, 0.349, 0.551].map((skip) => (modPublishedFlops(vicuna13b, 1400, skip) / 1e12).toFixed(2)),
    ).toEqual(['37.13', '25.13', '18.35']);
  });
});

describe('executed operations', () => {
  const shape = { hiddenSize: 8, intermediateSize: 20, heads: 4, kvHeads: 2, headDim: 2, vocabSize: 50 };

  it('count every product of a layer', () => {
    const [rows, keys] = [3, 5];
    const products = [
      2 * rows * 8 * (8 + 4 + 4),
      2 * rows * keys * 8,
      2 * rows * keys * 8,
      2 * rows * 8 * 8,
      3 * 2 * rows * 8 * 20,
    ];
    expect(layerFlops(shape, { rows, keys })).toBe(products.reduce((a, b) => a + b));
    expect(headFlops(shape)).toBe(800);
  });

  it('leave out what a pruned row no longer passes through', () => {
    const all = layerFlops(shape, { rows: 6, keys: 6 });
    const pruned = layerFlops(shape, { rows: 6, keys: 6, kept: 4 });
    expect(all - pruned).toBe(2 * (2 * 8 * 8 + 6 * 8 * 20));
  });

  it('count the published merge of 32 frames', () => {
    const perFrame = mergeStepFlops(196, 3584) + mergeStepFlops(98, 3584);
    expect((32 * perFrame) / 1e9).toBeCloseTo(2.89, 2);
  });
});
