import { describe, expect, it } from 'vitest';
import { logitRow, peakRun } from '../../../../src/decoding/logit-row.js';
import type { ModelRunner } from '../../../../src/engine/runner/model-runner.js';
import { fixtureNames, loadFixture, relativeError } from '../../../helpers/fixture-model.js';
import { feed, feedTrees, lastRow, pathTo, reset } from '../../../helpers/lanes.js';
import { seededTokens } from '../../../helpers/seeded.js';

const int4 = { weights: 'int4', activations: 'int8' } as const;
const cached = 70;

async function fill(runner: ModelRunner, lanes: number): Promise<void> {
  reset(runner, lanes, 160);
  for (let lane = 0; lane < lanes; lane++) {
    await feed(runner, lane, [seededTokens(lane, cached - lane, runner.vocabSize)]);
  }
}

/** One token for each lane, thrice. */
async function decode(runner: ModelRunner, lanes: number): Promise<Float32Array> {
  await fill(runner, lanes);
  let logits = new Float32Array(0);
  for (let step = 0; step < 3; step++) {
    const tokens = seededTokens(50 + step, lanes, runner.vocabSize);
    ({ logits } = (await feed(
      runner,
      0,
      tokens.map((token) => [token]),
    )) as { logits: Float32Array<ArrayBuffer> });
  }
  return logits;
}

describe.each(fixtureNames)('steps by kernels: %s', (name) => {
  it('are those of the graph, but for the order of additions', async () => {
    const [{ runner }, { runner: graph }] = [
      await loadFixture(name, int4),
      await loadFixture(name, int4, { kernels: false }),
    ];
    const [actual, expected] = [await decode(runner, 2), await decode(graph, 2)];
    // A rounding that falls to the other side moves an activation by a 127th.
    expect(relativeError(actual, expected)).toBeLessThan(0.02);
    await Promise.all([runner.close(), graph.close()]);
  });

  it('have the same bits with any number of threads', async () => {
    const runners = await Promise.all([1, 2, 3].map((threads) => loadFixture(name, int4, {}, threads)));
    const [one, ...more] = await Promise.all(runners.map(({ runner }) => decode(runner, 3)));
    for (const logits of more) expect(logits).toEqual(one);
    await Promise.all(runners.map(({ runner }) => runner.close()));
  });
});

describe('rows of a step', () => {
  it.each([1, 2, 3])('know their peaks, with %d threads', async (threads) => {
    const { runner } = await loadFixture('smollm-tied', int4, {}, threads);
    reset(runner, 2, 16);
    const inOrder = Int32Array.from({ length: 6 }, (_, i) => i);
    const tokenIds = Int32Array.from(seededTokens(1, 6, runner.vocabSize));
    const logits = await runner.forward({ firstLane: 0, lanes: 2, rows: 3, tokenIds, logitRows: inOrder });
    for (const row of inOrder) {
      const { values, peaks } = logitRow(logits, row, runner.vocabSize);
      expect(peaks).toHaveLength(Math.floor(runner.vocabSize / peakRun));
      for (const [run, peak] of peaks!.entries()) {
        expect(peak).toBe(Math.max(...values.subarray(run * peakRun, (run + 1) * peakRun)));
      }
    }
    await runner.close();
  });

  it('have the bits that they have alone, in batches of more rows than a step takes', async () => {
    const { runner } = await loadFixture('qwen3', int4, {}, 2);
    const { vocabSize } = runner;
    await fill(runner, 9);
    const tokens = Array.from({ length: 9 }, (_, lane) => seededTokens(lane, 10, vocabSize));
    const { logits } = await feed(runner, 0, tokens);
    for (const lane of [0, 5, 8]) {
      runner.cache.truncate(lane, cached - lane);
      for (let row = 0; row < 10; row++) {
        const alone = (await feed(runner, lane, [[tokens[lane]![row]!]])).logits;
        const at = (lane * 10 + row) * vocabSize;
        expect(alone).toEqual(logits.slice(at, at + vocabSize));
      }
    }
    await runner.close();
  });

  it('of a tree have the bits of their paths', async () => {
    const { runner } = await loadFixture('smollm-tied', int4, {}, 2);
    const parents = [-1, 0, 0, 1, 2, 1, 5, 3, -1, 8];
    const tree = { parents, tokens: seededTokens(3, parents.length, runner.vocabSize) };
    await fill(runner, 2);
    const [, logits] = await feedTrees(runner, 0, [{ parents: [-1], tokens: [1] }, tree]);
    for (const row of parents.keys()) {
      runner.cache.truncate(1, cached - 1);
      const path = pathTo(tree, row).map((at) => tree.tokens[at]!);
      const { logits: alone } = await feed(runner, 1, [path]);
      expect(lastRow(runner, alone)).toEqual(
        logits!.slice(row * runner.vocabSize, (row + 1) * runner.vocabSize),
      );
    }
    await runner.close();
  });

  it('read what graphs wrote, and the other way round', async () => {
    const { runner } = await loadFixture('smollm-tied', int4);
    reset(runner, 1, 160);
    const prompt = seededTokens(1, 60, runner.vocabSize);
    await feed(runner, 0, [prompt.slice(0, 40)]);
    await feed(runner, 0, [prompt.slice(40, 44)]);
    const { logits } = await feed(runner, 0, [prompt.slice(44)]);
    runner.cache.truncate(0, 0);
    const whole = (await feed(runner, 0, [prompt])).logits;
    expect(relativeError(lastRow(runner, logits), lastRow(runner, whole))).toBeLessThan(0.05);
    await runner.close();
  });
});
