import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { DecoderConfig } from '../../../../src/engine/checkpoint/decoder-config.js';
import { dump } from '../../../../src/engine/graph/dump.js';
import type { Graph } from '../../../../src/engine/graph/ir.js';
import { compileGraph, plainVariant } from '../../../../src/engine/graph/pipeline.js';
import { verify } from '../../../../src/engine/graph/verify.js';
import { buildGraph } from '../../../../src/engine/models/registry.js';

const config: DecoderConfig = {
  family: 'qwen3',
  hiddenSize: 32,
  intermediateSize: 64,
  layers: 1,
  heads: 4,
  kvHeads: 2,
  headDim: 8,
  vocabSize: 100,
  contextLength: 64,
  rmsNormEps: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: { type: 'none' },
  tieWordEmbeddings: true,
  attentionBias: { qkv: false, output: false },
  mlpBias: false,
  qkNorm: true,
  tensorPrefix: 'model.',
  bosTokenId: undefined,
  eosTokenIds: [],
};
const golden = (name: string) => fileURLToPath(new URL(`../../../golden/${name}.txt`, import.meta.url));
const int4 = { weights: 'int4', activations: 'int8' } as const;
const fp32 = { weights: 'fp32', activations: 'fp32' } as const;

describe('the graph of one small layer', () => {
  it.each([
    ['step-int4', 'step', plainVariant, int4],
    ['prompt-fp32', 'prompt', plainVariant, fp32],
    ['step-fp32-opened', 'step', { lowRank: true, hiddenStates: [0, 1] }, fp32],
  ] as const)('should read as in %s.txt', async (name, phase, variant, precision) => {
    const graph = compileGraph(buildGraph(config, phase), config, variant, precision);
    await expect(dump(graph)).toMatchFileSnapshot(golden(name));
  });
});

describe('verify', () => {
  const graph = buildGraph(config, 'step');
  const broken = (change: Partial<Graph>) => () => verify({ ...graph, ...change }, 'the test');
  const [first, ...rest] = graph.nodes;

  it('should accept what the models build', () => {
    expect(() => verify(graph, 'building')).not.toThrow();
  });

  it('should name a node that reads what is not there yet', () => {
    expect(broken({ nodes: [...rest, first!] })).toThrow(/the test: node .* is not defined before it/);
  });

  it('should name an operator that no graph may have', () => {
    expect(broken({ nodes: [...graph.nodes, { ...first!, op: 'Loop' }] })).toThrow(/Loop is unknown/);
  });

  it('should refuse a second producer of a value', () => {
    expect(broken({ nodes: [...graph.nodes, first!] })).toThrow(/defined twice/);
  });

  it('should refuse an output without a producer', () => {
    expect(broken({ outputs: [{ name: 'nothing', dtype: 'float32', shape: [1] }] })).toThrow(
      /nothing has no producer/,
    );
  });

  it('should refuse a projection without its matrix', () => {
    expect(broken({ matrices: new Map() })).toThrow(/has no matrix/);
  });

  it('should refuse a weight that nothing reads', () => {
    const constant = { name: 'lonely', dtype: 'int64', shape: [1], values: [1] } as const;
    expect(broken({ constants: new Map(graph.constants).set('lonely', constant) })).toThrow(
      /lonely is read by no node/,
    );
  });
});
