import { describe, expect, it } from 'vitest';
import { acceptDraft } from '../../../../src/decoding/speculative/acceptance.js';
import { Calibrator } from '../../../../src/decoding/speculative/calibrator.js';
import { chooseRows } from '../../../../src/decoding/speculative/choose-rows.js';
import { CostModel, type StepTiming } from '../../../../src/decoding/speculative/cost-model.js';
import { layOut } from '../../../../src/decoding/speculative/draft-rows.js';
import type { DraftSource } from '../../../../src/decoding/speculative/draft-source.js';
import { DraftStores } from '../../../../src/decoding/speculative/draft-stores.js';
import { type DraftRules, DraftTree } from '../../../../src/decoding/speculative/draft-tree.js';
import { Drafting } from '../../../../src/decoding/speculative/drafting.js';
import { featuresOf } from '../../../../src/decoding/speculative/features.js';
import { Earnings, LookingPace } from '../../../../src/decoding/speculative/looking-pace.js';
import { StepProbe } from '../../../../src/decoding/speculative/step-probe.js';

const timingsOf = (ms: (rows: number) => number): StepTiming[] =>
  [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].map((rows) => ({ rows, context: 64, ms: ms(rows) }));

const curve = (ms: (rows: number) => number) => new CostModel(timingsOf(ms));

const freeRules: DraftRules = { isFinal: () => false, isBanned: () => false, allowedAfter: () => undefined };

/** Proposes two tokens everywhere, with features that the calibrator knows by heart. */
const twoWays: DraftSource = {
  name: 'context',
  slot: 0,
  expand: (_path, _cursor, into) => {
    into.propose(1, 1);
    into.propose(2, 2);
  },
  commit: () => {},
};

/** Token 1 comes with the given chance, token 2 with half of the rest. */
function calibrated(chance: number): Calibrator {
  const calibrator = new Calibrator();
  for (let i = 0; i < 400; i++) {
    calibrator.learn(featuresOf(1, 0, 0), i % 100 < 100 * chance);
    calibrator.learn(featuresOf(2, 0, 0), i % 100 < 50 * (1 - chance));
  }
  return calibrator;
}

const treeOf = (calibrator: Calibrator, maxDepth = 24) =>
  new DraftTree({
    committed: [5, 6],
    sources: [twoWays],
    calibrator,
    rules: freeRules,
    maxDepth,
  });

const rowsFor = (costs: CostModel, chance: number, lanes = 1, maxNodes = 63) => {
  const trees = Array.from({ length: lanes }, () => treeOf(calibrated(chance)));
  return chooseRows(trees, {
    maxRows: 64,
    maxNodes: trees.map(() => maxNodes),
    plainLanes: 0,
    ms: (rows) => costs.ms(rows * lanes, 64),
  });
};

describe('the size of a draft', () => {
  it('is the most that is allowed where verifying is free, and nothing where every row costs a step', () => {
    expect(
      rowsFor(
        curve(() => 10),
        0.9,
      ),
    ).toBe(64);
    expect(
      rowsFor(
        curve((rows) => 10 * rows),
        0.9,
      ),
    ).toBe(1);
    expect(
      rowsFor(
        curve(() => 10),
        0.9,
        1,
        5,
      ),
    ).toBe(6);
  });

  it('grows with the chance of the draft and shrinks with the lanes that share the step', () => {
    const costs = curve((rows) => 10 * (0.8 + 0.2 * rows));
    const sizes = [0.2, 0.6, 0.9, 0.98].map((chance) => rowsFor(costs, chance));
    expect(sizes[0]).toBeLessThan(4);
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(sizes.at(-1)).toBeGreaterThan(4);
    expect(rowsFor(costs, 0.9, 8)).toBeLessThan(rowsFor(costs, 0.9));
  });

  it('looks past a step of the curve', () => {
    const stepped = curve((rows) => (rows === 1 ? 10 : rows <= 3 ? 17 : 18));
    expect(rowsFor(stepped, 0.95)).toBeGreaterThan(4);
  });
});

describe('the tree', () => {
  it('adds nodes in the order of their reach, parents first, each token once per place', () => {
    const tree = treeOf(calibrated(0.7));
    while (tree.nodes.length < 20 && tree.grow());
    const reaches = tree.nodes.map(({ reach }) => reach);
    expect(reaches).toEqual(reaches.toSorted((a, b) => b - a));
    for (const [i, { parent }] of tree.nodes.entries()) {
      if (parent !== undefined) expect(tree.nodes.indexOf(parent)).toBeLessThan(i);
    }
    const { tokens, parents } = layOut(6, tree.nodes);
    expect(tokens).toHaveLength(21);
    expect(new Set(tokens.map((token, row) => `${parents[row]}:${token}`)).size).toBe(21);
    for (const [row, parent] of parents.entries()) expect(parent).toBeLessThan(row);
    // The likeliest path comes first.
    expect(parents.slice(0, 4)).toEqual([-1, 0, 1, 2]);
  });

  it('ends where the sequence would, and drafts nothing below an end', () => {
    expect(treeOf(calibrated(0.7), 0).grow()).toBe(false);
    const tree = new DraftTree({
      committed: [5],
      sources: [twoWays],
      calibrator: calibrated(0.7),
      rules: { ...freeRules, isFinal: (token) => token === 1, isBanned: (token) => token === 2 },
      maxDepth: 24,
    });
    expect(tree.grow()).toBe(true);
    expect(tree.grow()).toBe(false);
  });
});

describe('the cost model', () => {
  it('interpolates what was probed, never lets more rows cost less, and adds the context', () => {
    const costs = new CostModel([
      { rows: 1, context: 64, ms: 10 },
      { rows: 2, context: 64, ms: 8 },
      { rows: 4, context: 64, ms: 20 },
      { rows: 1, context: 564, ms: 15 },
      { rows: 4, context: 564, ms: 44 },
    ]);
    expect(costs.ms(1, 64)).toBeCloseTo(9);
    expect(costs.ms(3, 64)).toBeGreaterThan(costs.ms(2, 64));
    expect(costs.ms(64, 64)).toBeGreaterThan(200);
    expect(costs.ms(1, 564)).toBeGreaterThan(costs.ms(1, 64) + 4);
  });

  it('is not thrown off by a few steps that were held up', () => {
    const costs = curve((rows) => 10 + rows);
    const before = costs.ms(1, 64);
    for (let i = 0; i < 3; i++) costs.observe({ rows: 1, context: 64, ms: 5000 }, true);
    expect(costs.ms(1, 64)).toBeLessThan(2.1 * before);
  });
});

it('pays in steps that are long enough for what speaks for drafts', () => {
  const stores = new DraftStores({ bytes: 2 ** 20, historyTokens: 1000 });
  const drafting = (ms: number) => new Drafting({ timings: timingsOf(() => ms), stores, maxRows: 64 });
  const demands = ['none', 'asked', 'told'] as const;
  const paysAt = (ms: number) => demands.filter((demand) => drafting(ms).paysFor(demand));
  expect(paysAt(30)).toEqual(['none', 'asked', 'told']);
  expect(paysAt(10)).toEqual(['asked', 'told']);
  expect(paysAt(1)).toEqual(['told']);
  expect(paysAt(0.2)).toEqual([]);
});

describe('drafting over many steps', () => {
  /** A text that repeats itself, decoded step by step; `ms` is what a step of so many rows takes. */
  function decode(
    steps: number,
    ms: (rows: number, step: number) => number,
    timings?: readonly StepTiming[],
  ): number[] {
    const stores = new DraftStores({ bytes: 2 ** 20, historyTokens: 1000 });
    const drafting = new Drafting({ timings, stores, maxRows: 64 });
    const text = (position: number) => (position % 97 < 90 ? position % 97 : (position * 7919) % 1000);
    const tokens = Array.from({ length: 200 }, (_, position) => text(position));
    const drafter = drafting.begin({
      method: 'adaptive',
      tokens,
      promptLength: 200,
      prediction: undefined,
      sources: ['context', 'ngram'],
      rules: freeRules,
      maxNodes: 63,
      remember: true,
      scope: 's',
      temperature: 0,
    });
    return Array.from({ length: steps }, (_, step) => {
      const lane = { drafter, anchor: tokens.at(-1)!, cached: 64, tokensLeft: 1000 };
      const plan = drafting.plan([lane], 64);
      const { rows } = plan.lanes[0]!;
      const before = tokens.length;
      const visited = acceptDraft(rows, () => {
        tokens.push(text(tokens.length));
        return tokens.at(-1)!;
      });
      drafting.observe(plan, ms(plan.rows, step));
      const outcome = { visited, committed: tokens.slice(before), before: tokens[before - 2] };
      drafting.learn(plan.lanes[0]!, outcome, () => ({
        values: new Float32Array(1),
        peaks: undefined,
      }));
      return plan.rows;
    });
  }

  it('hardly ever drafts where every row costs a step', () => {
    const rows = decode(
      1000,
      (rows) => 10 * rows,
      timingsOf((rows) => 10 * rows),
    );
    expect(rows.filter((count) => count > 1).length).toBeLessThanOrEqual(20);
  });

  it('fills every step where verifying is free', () => {
    const rows = decode(
      400,
      () => 10,
      timingsOf(() => 10),
    );
    expect(Math.max(...rows)).toBeGreaterThan(20);
  });

  it.each([
    ['rises', (rows: number) => 10 + 10 * rows, [1, 1, 2, 2, 4, 4]],
    ['hardly rises', (rows: number) => 10 + rows, [1, 1, 2, 2, 4, 4, 8, 8, 16, 16]],
    ['is free', () => 10, [1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 32, 32, 64, 64]],
  ])(
    'measures widths on its first steps, up to one that would hold up others: the curve %s',
    (_, ms, widths) => {
      const rows = decode(400, ms);
      expect(rows.slice(0, widths.length)).toEqual(widths);
      const known = decode(400 - widths.length, ms, timingsOf(ms));
      const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
      const later = sum(rows.slice(widths.length));
      expect(Math.abs(later - sum(known))).toBeLessThan(0.15 * sum(known));
    },
  );

  it('measures again when the context has grown long', () => {
    const probe = new StepProbe();
    const step = (context: number) => {
      const rows = probe.width(context, 64);
      if (rows === undefined) return undefined;
      probe.observe({ rows, context, ms: 10 + rows + (rows * (context - 64)) / 100 });
      return rows;
    };
    while (step(64) !== undefined);
    expect(step(300)).toBeUndefined();
    expect([1, 2, 3, 4, 5].map(() => step(564))).toEqual([1, 1, 8, 8, undefined]);
    const costs = new CostModel(probe.timings);
    expect(costs.ms(1, 564)).toBeCloseTo(16);
    expect(costs.ms(4, 1064)).toBeCloseTo(54);
    expect(step(10_000)).toBeUndefined();
  });

  it('waits for room to measure, and takes only pairs of steps that are alike', () => {
    const probe = new StepProbe();
    expect(probe.width(0, 64)).toBe(1);
    probe.observe({ rows: 1, context: 0, ms: 5 });
    probe.observe({ rows: 2, context: 0, ms: 9 });
    expect(probe.timings).toEqual([]);
    probe.observe({ rows: 2, context: 0, ms: 8 });
    expect(probe.timings).toEqual([{ rows: 2, context: 0, ms: 8 }]);
    expect([probe.width(0, 1), probe.width(0, 2)]).toEqual([undefined, 2]);
  });

  it('adapts within 200 steps when the machine changes', () => {
    const rows = decode(
      700,
      (rows, step) => (step < 300 ? 10 : 10 * rows),
      timingsOf(() => 10),
    );
    const share = (from: number, to: number) =>
      rows.slice(from, to).reduce((sum, count) => sum + count, 0) / (to - from);
    expect(share(200, 300)).toBeGreaterThan(5);
    expect(share(500, 700)).toBeLessThan(1.5);
  });
});

describe('the pace of looking', () => {
  /** The steps that look, of so many. */
  function looks(pace: LookingPace, steps: number, gain: (step: number) => number): number[] {
    return Array.from({ length: steps }, (_, step) => step).filter((step) => {
      const isDue = pace.isDue;
      if (isDue) pace.look(gain(step), 0.05, gain(step) > 0);
      else pace.skip();
      return isDue;
    });
  }

  it('slows down where nothing is found, and stays slow', () => {
    const steps = looks(new LookingPace(new Earnings()), 500, () => 0);
    expect(steps.length).toBeLessThan(100);
    expect(steps.at(-1)! - steps.at(-2)!).toBe(33);
  });

  it('is that of every step where drafts pay, also if only one in ten does', () => {
    expect(looks(new LookingPace(new Earnings()), 500, (step) => (step % 10 === 0 ? 1 : 0))).toHaveLength(
      500,
    );
  });

  it('is that of every step where looking takes next to nothing', () => {
    const pace = new LookingPace(new Earnings());
    for (let step = 0; step < 500; step++) {
      expect(pace.isDue).toBe(true);
      pace.look(0, 0.009, false);
    }
  });

  it('picks up when something is found', () => {
    const steps = looks(new LookingPace(new Earnings()), 400, (step) => (step < 200 ? 0 : 2));
    expect(steps.filter((step) => step >= 240)).toHaveLength(160);
  });

  it('slows down where verifying loses more than it gives', () => {
    const steps = looks(new LookingPace(new Earnings()), 500, (step) => (step % 3 === 0 ? 1 : -1));
    expect(steps.length).toBeLessThan(120);
  });

  it('begins as the sequences before it ended, but with a look', () => {
    const all = new Earnings();
    looks(new LookingPace(all), 500, () => 0);
    const steps = looks(new LookingPace(all), 100, () => 0);
    expect(steps[0]).toBe(0);
    expect(steps.length).toBeLessThan(10);
  });
});
