import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRunner } from '../../../../src/engine/runner/model-runner.js';
import type { Runner } from '../../../../src/engine/runner/runner.js';
import { FakeRunner } from '../../../helpers/fake-runner.js';
import { loadFixture, relativeError } from '../../../helpers/fixture-model.js';
import { type DraftTree, feed, feedTrees, lastRow, pathTo, reset } from '../../../helpers/lanes.js';
import { seededFloats, seededTokens } from '../../../helpers/seeded.js';

const TOLERANCE = 1e-5;

/** Every way to hang `rows` rows below the first. */
function treeShapes(rows: number): number[][] {
  if (rows === 1) return [[-1]];
  return treeShapes(rows - 1).flatMap((shape) => shape.map((_, parent) => [...shape, parent]));
}

const withTokens = (parents: readonly number[], seed: number, vocabSize: number): DraftTree => ({
  parents,
  tokens: seededTokens(seed, parents.length, vocabSize),
});

function randomTree(seed: number, vocabSize: number): DraftTree {
  const random = seededFloats(seed, 25).map((value) => (value + 1) / 2);
  const rows = 1 + Math.floor(random[24]! * 24);
  const parents = Array.from(
    { length: rows },
    (_, row) => Math.floor(random[row]! * row) - Number(row === 0),
  );
  return withTokens(parents, seed, vocabSize);
}

/** Largest difference between a row of the tree and its path run as a chunk of its own, relative. */
async function gap(runner: ModelRunner, lane: number, tree: DraftTree, row: number, logits: Float32Array) {
  const { cache, vocabSize } = runner;
  const cached = cache.length(lane);
  const path = pathTo(tree, row);
  const plain = (await feed(runner, lane, [path.map((at) => tree.tokens[at]!)])).logits;
  cache.truncate(lane, cached);
  const expected = lastRow(runner, plain);
  return relativeError(logits.subarray(row * vocabSize, (row + 1) * vocabSize), expected);
}

describe.each(['smollm-tied', 'qwen3'])('%s', (name) => {
  let runner: ModelRunner;
  beforeAll(async () => {
    runner = (await loadFixture(name, { weights: 'fp32', activations: 'fp32' })).runner;
  });
  afterAll(() => runner.close());

  async function fill(lengths: readonly number[]): Promise<void> {
    reset(runner, lengths.length, 128);
    for (const [lane, length] of lengths.entries()) {
      await feed(runner, lane, [seededTokens(lane, length, runner.vocabSize)]);
    }
  }

  it('gives every row of every tree of up to six rows the logits of its path', async () => {
    await fill([9]);
    const shapes = [1, 2, 3, 4, 5, 6].flatMap(treeShapes);
    for (const [index, parents] of shapes.entries()) {
      const tree = withTokens(parents, index, runner.vocabSize);
      const [logits] = await feedTrees(runner, 0, [tree]);
      runner.cache.truncate(0, 9);
      // The last row is new in every shape; the others were last in a smaller one.
      expect(await gap(runner, 0, tree, parents.length - 1, logits!)).toBeLessThan(TOLERANCE);
    }
    expect(shapes).toHaveLength(154);
  });

  it('gives 1,000 random trees in lanes of different lengths the logits of their paths', async () => {
    const lengths = [1, 5, 17, 64, 30];
    await fill(lengths);
    for (let batch = 0; batch < 200; batch++) {
      const trees = lengths.map((_, lane) => randomTree(5 * batch + lane, runner.vocabSize));
      const logits = await feedTrees(runner, 0, trees);
      for (const [lane, length] of lengths.entries()) runner.cache.truncate(lane, length);
      for (const [lane, tree] of trees.entries()) {
        const row = (batch * 7 + lane) % tree.parents.length;
        expect(await gap(runner, lane, tree, row, logits[lane]!)).toBeLessThan(TOLERANCE);
      }
    }
  });

  it('keeps the keys and values of an accepted path as if it had been decoded', async () => {
    const prefix = 11;
    const tree = { parents: [-1, 0, 0, 2, 1, 3, 3], tokens: seededTokens(5, 7, runner.vocabSize) };
    for (const row of tree.parents.keys()) {
      const path = pathTo(tree, row);
      await fill([prefix]);
      await feedTrees(runner, 0, [tree]);
      expect(runner.cache.length(0)).toBe(prefix + 7);
      runner.cache.keep(0, prefix, path);
      const kept = runner.cache.read(0, 0, prefix + path.length).data;
      await fill([prefix]);
      await feed(runner, 0, [path.map((at) => tree.tokens[at]!)]);
      const plain = runner.cache.read(0, 0, prefix + path.length).data;
      expect(Math.max(...kept.map((value, i) => Math.abs(value - plain[i]!)))).toBeLessThan(TOLERANCE);
    }
  });
});

it('the fake runner computes trees as it computes their paths', async () => {
  const runner = new FakeRunner();
  const run = async (of: Runner, tokens: readonly number[]) =>
    (
      await of.forward({
        firstLane: 0,
        lanes: 1,
        rows: tokens.length,
        tokenIds: Int32Array.from(tokens),
        logitRows: Int32Array.of(tokens.length - 1),
      })
    ).slice();
  runner.cache.resize(2, 64);
  await run(runner, [7, 8, 9]);
  const trees = [
    { parents: [-1, 0, 0, 1], tokens: [1, 2, 3, 4] },
    { parents: [-1, 0], tokens: [5, 6] },
  ];
  const [logits] = await feedTrees(runner, 0, trees);
  expect(runner.cache.length(0)).toBe(7);
  expect(runner.cache.length(1)).toBe(2);
  for (const row of [0, 1, 2, 3]) {
    runner.cache.truncate(0, 3);
    const plain = await run(
      runner,
      pathTo(trees[0]!, row).map((at) => trees[0]!.tokens[at]!),
    );
    expect(logits!.subarray(row * runner.vocabSize, (row + 1) * runner.vocabSize)).toEqual(plain);
  }
});
