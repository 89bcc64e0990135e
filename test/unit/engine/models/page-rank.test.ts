import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../../../src/engine/graph/builder.js';
import { encodeOnnx } from '../../../../src/engine/graph/onnx-writer.js';
import { verify } from '../../../../src/engine/graph/verify.js';
import { declarePageRank, importance, pageRank } from '../../../../src/engine/models/page-rank.js';
import { floats, integers, OrtSession } from '../../../../src/engine/runner/ort-session.js';
import { mostImportant, plainPageRank } from '../../../helpers/plain-page-rank.js';
import { seededFloats } from '../../../helpers/seeded.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

type Logits = readonly (readonly (readonly number[])[])[];

let session: OrtSession;
const folder = suiteFolder();

beforeAll(async () => {
  const graph = new GraphBuilder();
  graph.input('scores', 'float32', ['heads', 'rows', 'keys']);
  graph.input('past', 'int64', [1]);
  declarePageRank(graph);
  graph.scan(
    ['scores'],
    [{ name: 'head', dtype: 'float32', shape: ['rows', 'keys'] }],
    [{ name: 'squares', dtype: 'float32', shape: ['rows'] }],
    () => [pageRank(graph, 'rank', 'head', 'past')],
  );
  graph.output(importance(graph, 'rank', 'squares'), 'float32', ['rows']);
  const built = graph.build();
  verify(built, 'building');
  const file = join(mkdtempSync(join(folder, 'page-rank-')), 'graph.onnx');
  writeFileSync(file, encodeOnnx(built, 'none', new Map()));
  session = await OrtSession.load(file, 1);
});
afterAll(() => session.release());

/** Runs the graph on the rows from `past` on. */
async function ranked(logits: Logits, past = 0): Promise<number[]> {
  const keys = logits[0]!.length;
  const rows = logits.flatMap((head) =>
    head.slice(past).map((row) => [...row, ...Array<number>(keys - row.length).fill(-1e30)]),
  );
  const shape = [logits.length, keys - past, keys];
  const feeds = {
    scores: floats(Float32Array.from(rows.flat()), shape),
    past: integers(BigInt64Array.of(BigInt(past))),
  };
  const results = await session.run(feeds, { 'rank/importance': null });
  return [...(results['rank/importance']!.data as Float32Array)];
}

function randomLogits(seed: number, heads: number, tokens: number, scale: number): Logits {
  const values = seededFloats(seed, heads * tokens * tokens, scale);
  return Array.from({ length: heads }, (_, head) =>
    Array.from({ length: tokens }, (_, query) =>
      Array.from({ length: query + 1 }, (_, key) => values[(head * tokens + query) * tokens + key]!),
    ),
  );
}

const published: Logits = [
  [[0], [0.1, 0], [0, 0.2, 0.1], [0.05, 0.1, 0.3, 0]],
  [[0.2], [0, 0.1], [0.1, 0, 0.2], [0, 0.3, 0.1, 0.1]],
];

describe('page rank over attention', () => {
  it('gives the scores of the reference code', async () => {
    const expected = [0.9043211, 0.1033588, 0.02723598, 1.999275e-6];
    for (const scores of [await ranked(published), plainPageRank(published)]) {
      scores.forEach((score, i) => {
        expect(Math.abs(score / expected[i]! - 1)).toBeLessThan(1e-6);
      });
    }
  });

  it('is that of plain loops, and picks the same tokens', async () => {
    for (const [seed, scale] of [
      [1, 0.05],
      [2, 0.3],
      [3, 1],
      [4, 3],
    ] as const) {
      const logits = randomLogits(seed, 3, 60, scale);
      const expected = plainPageRank(logits);
      const actual = await ranked(logits);
      expected.forEach((value, i) => {
        if (value > 1e-6) expect(Math.abs(actual[i]! / value - 1)).toBeLessThan(1e-4);
      });
      const sorted = [...expected].sort((a, b) => b - a);
      const tokens = [...expected.keys()];
      for (let count = 1; count < 60; count++) {
        if (sorted[count - 1]! - sorted[count]! < 1e-5) continue;
        expect(mostImportant(tokens, actual, count)).toEqual(mostImportant(tokens, expected, count));
      }
    }
  });

  it('takes five steps and does not converge', async () => {
    const logits = randomLogits(9, 2, 12, 0.1);
    const five = await ranked(logits);
    expect(five[1]).toBeCloseTo(plainPageRank(logits)[1]!, 6);
    expect(Math.abs(five[1]! - plainPageRank(logits, 6)[1]!)).toBeGreaterThan(1e-3);
  });

  it('falls to n⁻⁶ for the last token of equal logits', async () => {
    const equal = randomLogits(1, 2, 8, 0);
    expect((await ranked(equal)).at(-1)).toBe(8 ** -6);
  });

  it('ranks the tokens behind a cached prefix as it would with the prefix', async () => {
    const logits = randomLogits(5, 3, 40, 0.1);
    const whole = (await ranked(logits)).slice(13);
    const behind = await ranked(logits, 13);
    const ratio = whole[0]! / behind[0]!;
    behind.forEach((value, i) => {
      expect(Math.abs((value * ratio) / whole[i]! - 1)).toBeLessThan(1e-4);
    });
    const tokens = [...behind.keys()];
    expect(mostImportant(tokens, behind, 9)).toEqual(mostImportant(tokens, whole, 9));
  });
});
