import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ForwardRequest, PromptPruning } from '../../../../src/engine/runner/runner.js';
import type { PruningLayers } from '../../../../src/engine/visual-tokens/pruning-schedule.js';
import type { LoadedFixture } from '../../../helpers/fixture-model.js';
import { loadFolder, relativeError } from '../../../helpers/fixture-model.js';
import { feed, lastRow, reset } from '../../../helpers/lanes.js';
import { type PlainCheckpoint, writePlain } from '../../../helpers/plain-checkpoint.js';
import { plainPrunedForward } from '../../../helpers/plain-pruning.js';
import { randomQwen2 } from '../../../helpers/random-checkpoint.js';
import { seededTokens } from '../../../helpers/seeded.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

const fp32 = { weights: 'fp32', activations: 'fp32' } as const;
const shape = { layers: 28, hidden: 32, heads: 4, kvHeads: 2, intermediate: 48, vocab: 97, scale: 0.35 };
const folder = suiteFolder();

let fixture: LoadedFixture;
let plain: PlainCheckpoint;

beforeAll(async () => {
  plain = randomQwen2(shape);
  fixture = await loadFolder(writePlain(join(folder, 'random'), plain), fp32, folder);
});
afterAll(() => fixture.runner.close());

interface Prompt {
  readonly tokens: readonly number[];
  /** Ends of the visual spans. */
  readonly spans: readonly (readonly [from: number, to: number])[];
}

const droppableOf = ({ spans }: Prompt): Set<number> =>
  new Set(spans.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i)));

/** Runs tokens `[cached, end)` of the prompt with pruning, the ones before it plainly. */
async function prune(lane: number, prompt: Prompt, layers: PruningLayers, cached = 0): Promise<Float32Array> {
  const { runner } = fixture;
  if (cached > 0) await feed(runner, lane, [prompt.tokens.slice(0, cached)]);
  const rest = chunkOf(lane, prompt.tokens.slice(cached));
  const logits = await runner.forward({
    ...rest,
    logitRows: Int32Array.of(rest.rows - 1),
    pruning: pruningOf(prompt, cached, layers),
  });
  return logits.slice();
}

const chunkOf = (firstLane: number, tokens: readonly number[]): ForwardRequest => ({
  firstLane,
  lanes: 1,
  rows: tokens.length,
  tokenIds: Int32Array.from(tokens),
  logitRows: new Int32Array(0),
});

function pruningOf(prompt: Prompt, cached: number, layers: PruningLayers): PromptPruning {
  const droppable = droppableOf(prompt);
  const rest = prompt.tokens.slice(cached);
  return { layers, droppable: Uint8Array.from(rest, (_, i) => (droppable.has(cached + i) ? 1 : 0)) };
}

const entering = (lane: number): number[][] =>
  Array.from({ length: shape.layers }, (_, layer) => [...fixture.runner.cache.pruned(lane)!.kept(layer)]);

const middle: Prompt = { tokens: seededTokens(1, 40, shape.vocab), spans: [[5, 31]] };
const schedule = { first: 14, end: 22 };

describe('a prompt that drops tokens between layers', () => {
  it.each([
    ['one image in the middle', middle, schedule],
    ['an image at the start, another schedule', { ...middle, spans: [[0, 20]] }, { first: 2, end: 9 }],
    [
      'three images',
      {
        ...middle,
        spans: [
          [2, 9],
          [12, 20],
          [21, 35],
        ],
      },
      schedule,
    ],
    ['nothing but an image', { ...middle, spans: [[0, 40]] }, schedule],
    ['fewer tokens than pruning layers', { ...middle, spans: [[7, 12]] }, schedule],
    ['a single visual token', { ...middle, spans: [[7, 8]] }, schedule],
    ['a schedule that goes on to the last layer', middle, { first: 20, end: 30 }],
    ['a schedule of one layer', middle, { first: 10, end: 11 }],
    ['pruning after the first layer', middle, { first: 0, end: 8 }],
  ] as const)('computes what hiding the tokens would: %s', async (_, prompt, layers) => {
    reset(fixture.runner, 1, 128);
    const droppable = droppableOf(prompt as Prompt);
    droppable.delete(prompt.tokens.length - 1);
    const logits = await prune(0, prompt as Prompt, layers);
    const expected = plainPrunedForward(fixture.model.config, plain, prompt.tokens, 40, {
      droppable,
      layers,
    });
    expect(entering(0)).toEqual(expected.entering.map((tokens) => [...tokens]));
    expect(relativeError(logits, Float32Array.from(expected.logits.at(-1)!))).toBeLessThan(1e-5);
  });

  it('decodes 32 tokens at the positions behind the whole prompt', async () => {
    reset(fixture.runner, 1, 128);
    await prune(0, middle, schedule);
    const following = seededTokens(2, 32, shape.vocab);
    const all = [...middle.tokens, ...following];
    const expected = plainPrunedForward(fixture.model.config, plain, all, 40, {
      droppable: droppableOf(middle),
      layers: schedule,
    });
    for (const [i, token] of following.entries()) {
      const { logits } = await feed(fixture.runner, 0, [[token]]);
      expect(relativeError(logits, Float32Array.from(expected.logits[40 + i]!))).toBeLessThan(1e-5);
    }
    expect(fixture.runner.cache.length(0)).toBe(72);
    expect(fixture.runner.cache.rows(0, 27)).toBe(72 - 26);
    expect(fixture.runner.cache.rows(0, 14)).toBe(72);
  });

  it('keeps the same tokens when the text before the image was cached', async () => {
    reset(fixture.runner, 2, 128);
    const whole = await prune(0, middle, schedule);
    const behind = await prune(1, middle, schedule, 4);
    const kept = entering(1).map((tokens) => [0, 1, 2, 3, ...tokens]);
    expect(kept).toEqual(entering(0));
    expect(relativeError(behind, whole)).toBeLessThan(1e-5);
  });

  it.each([1, 7, 16, 35])('keeps the same tokens when it comes in chunks of %i', async (chunk) => {
    const { runner } = fixture;
    reset(runner, 2, 128);
    const whole = await prune(0, middle, schedule);
    const pruning = pruningOf(middle, 5, schedule);
    await feed(runner, 1, [middle.tokens.slice(0, 5)]);
    for (let from = 5; from < 40; from += chunk) {
      const rows = Math.min(chunk, 40 - from);
      await runner.forward({ ...chunkOf(1, middle.tokens.slice(from, from + rows)), pruning });
      expect([13, 14].map((layer) => runner.cache.rows(1, layer))).toEqual([from + rows, 5]);
    }
    const logits = await runner.forward({ ...chunkOf(1, []), logitRows: Int32Array.of(0), pruning });
    const kept = entering(1).map((tokens) => [0, 1, 2, 3, 4, ...tokens]);
    expect(kept).toEqual(entering(0));
    expect(relativeError(logits.slice(), whole)).toBeLessThan(1e-5);
  });

  it.each([1, 3, 5])(
    'keeps the same tokens when all of it passes %i layers at a time',
    async (mostLayers) => {
      const { runner } = fixture;
      reset(runner, 2, 128);
      const whole = await prune(0, middle, schedule);
      const pruning = { ...pruningOf(middle, 0, schedule), mostLayers };
      const asked = { logitRows: Int32Array.of(0), pruning };
      await runner.forward({ ...chunkOf(1, middle.tokens), pruning });
      let logits = new Float32Array(0);
      for (let layer = 14; layer < 28; layer += mostLayers) {
        expect(logits).toHaveLength(0);
        expect(runner.cache.pruned(1)!.waiting!.layer).toBe(layer);
        const saved = runner.cache.read(1, 0, 40);
        runner.cache.truncate(1, 0);
        runner.cache.append(1, saved);
        logits = (await runner.forward({ ...chunkOf(1, []), ...asked })).slice();
      }
      expect(entering(1)).toEqual(entering(0));
      expect(relativeError(logits, whole)).toBeLessThan(1e-5);
    },
  );

  it('goes on where it stopped when it is swapped out between chunks', async () => {
    const { runner } = fixture;
    reset(runner, 2, 128);
    const whole = await prune(0, middle, schedule);
    const pruning = pruningOf(middle, 0, schedule);
    await runner.forward({ ...chunkOf(1, middle.tokens.slice(0, 23)), pruning });
    const saved = runner.cache.read(1, 0, 23);
    runner.cache.truncate(1, 0);
    await feed(runner, 1, [[3, 1, 4]]);
    runner.cache.truncate(1, 0);
    runner.cache.append(1, saved);
    const rest = { ...chunkOf(1, middle.tokens.slice(23)), logitRows: Int32Array.of(16) };
    const logits = await runner.forward({ ...rest, pruning });
    expect(relativeError(logits.slice(), whole)).toBeLessThan(1e-5);
    expect(entering(1)).toEqual(entering(0));
  });

  it('is the plain prompt within rounding when everything stays', async () => {
    reset(fixture.runner, 2, 128);
    const kept = await prune(0, middle, { first: 27, end: 28 });
    const { logits } = await feed(fixture.runner, 1, [middle.tokens]);
    expect(relativeError(kept, lastRow(fixture.runner, logits))).toBeLessThan(1e-6);
    expect(fixture.runner.cache.rows(0, 27)).toBe(40);
  });
});

describe('lanes with and without a pruned prompt', () => {
  const text = seededTokens(7, 25, shape.vocab);
  const other: Prompt = { tokens: seededTokens(8, 50, shape.vocab), spans: [[10, 40]] };

  /** Prompts of the chosen lanes, then four steps of all of them together. */
  async function decode(chosen: readonly number[]): Promise<Float32Array[]> {
    reset(fixture.runner, chosen.length, 128);
    for (const [lane, which] of chosen.entries()) {
      if (which === 0) await feed(fixture.runner, lane, [text]);
      if (which === 1) await prune(lane, middle, schedule);
      if (which === 2) await prune(lane, other, { first: 3, end: 7 });
    }
    const out: Float32Array[] = [];
    for (let step = 0; step < 4; step++) {
      const tokens = chosen.map((which) => [seededTokens(20 + step, 3, shape.vocab)[which]!]);
      out.push((await feed(fixture.runner, 0, tokens)).logits);
    }
    return out;
  }

  it('decode together as each alone', async () => {
    const together = await decode([0, 1, 2]);
    for (const which of [0, 1, 2]) {
      const alone = await decode([which]);
      together.forEach((logits, step) => {
        const mine = logits.subarray(which * shape.vocab, (which + 1) * shape.vocab);
        expect(relativeError(mine, alone[step]!)).toBeLessThan(1e-5);
      });
    }
  });

  it('change places, leave and come back without a change', async () => {
    const { cache } = fixture.runner;
    const expected = await decode([1, 2]);
    await decode([1, 2]);
    for (const lane of [0, 1]) cache.truncate(lane, cache.length(lane) - 4);
    cache.swap(0, 1);
    const saved = cache.read(0, 0, cache.length(0));
    cache.truncate(0, 0);
    expect(cache.pruned(0)).toBeUndefined();
    cache.resize(2, 200);
    cache.append(0, saved);
    cache.swap(0, 1);
    for (let step = 0; step < 4; step++) {
      const tokens = [1, 2].map((which) => [seededTokens(20 + step, 3, shape.vocab)[which]!]);
      expect((await feed(fixture.runner, 0, tokens)).logits).toEqual(expected[step]);
    }
  });

  it('take a draft back in every layer', async () => {
    const { runner } = fixture;
    await decode([1]);
    const next = await feed(runner, 0, [[5]]);
    await decode([1]);
    const length = runner.cache.length(0);
    const tokenIds = Int32Array.of(5, 6, 7, 8);
    const trees = { counts: Int32Array.of(4), parents: Int32Array.of(-1, 0, -1, 2) };
    await runner.forward({ firstLane: 0, lanes: 1, rows: 4, tokenIds, logitRows: Int32Array.of(), trees });
    runner.cache.keep(0, length, [0]);
    const rows = Array.from({ length: 28 }, (_, layer) => runner.cache.rows(0, layer));
    await decode([1]);
    await feed(runner, 0, [[5]]);
    expect(Array.from({ length: 28 }, (_, layer) => runner.cache.rows(0, layer))).toEqual(rows);
    runner.cache.truncate(0, length);
    expect(relativeError((await feed(runner, 0, [[5]])).logits, next.logits)).toBeLessThan(1e-5);
  });
});

describe('a turn behind a pruned one', () => {
  const tokens = [...middle.tokens, ...seededTokens(31, 30, shape.vocab)];
  /** Text, a second image, text. */
  const second = Array.from({ length: 12 }, (_, i) => 48 + i);
  const flags = Uint8Array.from({ length: 16 }, (_, i) => (i < 12 ? 1 : 0));

  function expectedTurns() {
    const { config } = fixture.model;
    const first = plainPrunedForward(config, plain, tokens.slice(0, 40), 40, {
      droppable: droppableOf(middle),
      layers: schedule,
    });
    const gone = (layer: number) =>
      new Set([...middle.tokens.keys()].filter((token) => !first.entering[layer]!.includes(token)));
    return plainPrunedForward(config, plain, tokens, 64, {
      droppable: new Set(second),
      layers: schedule,
      gone,
    });
  }

  it.each([4, 16])('drops tokens of its own image only, in chunks of %i', async (chunk) => {
    const { runner } = fixture;
    const expected = expectedTurns();
    reset(runner, 1, 128);
    await prune(0, middle, schedule);
    await feed(runner, 0, [tokens.slice(40, 48)]);
    const pruning = { layers: schedule, droppable: flags };
    for (let from = 48; from < 64; from += chunk) {
      await runner.forward({ ...chunkOf(0, tokens.slice(from, from + chunk)), pruning });
    }
    const saved = runner.cache.read(0, 0, 64);
    runner.cache.truncate(0, 0);
    runner.cache.append(0, saved);
    const logits = await runner.forward({ ...chunkOf(0, []), logitRows: Int32Array.of(0), pruning });
    expect(relativeError(logits.slice(), Float32Array.from(expected.logits[63]!))).toBeLessThan(1e-5);
    expect(entering(0)).toEqual(expected.entering.map((kept) => kept.filter((token) => token >= 48)));
    for (let token = 64; token < 70; token++) {
      const step = await feed(runner, 0, [[tokens[token]!]]);
      expect(relativeError(step.logits, Float32Array.from(expected.logits[token]!))).toBeLessThan(1e-5);
    }
    const rows = expected.entering.map((kept) => kept.length + 6);
    expect(rows.map((_, layer) => runner.cache.rows(0, layer))).toEqual(rows);
  });

  it('is forgotten without the turn before, and that one on its own', async () => {
    const { runner } = fixture;
    reset(runner, 1, 128);
    await prune(0, middle, schedule);
    await feed(runner, 0, [tokens.slice(40, 48)]);
    const first = runner.cache.pruned(0);
    const pruning = { layers: schedule, droppable: flags };
    const rest = { ...chunkOf(0, tokens.slice(48, 64)), logitRows: Int32Array.of(15) };
    await runner.forward({ ...rest, pruning });
    expect(runner.cache.pruned(0)).not.toBe(first);
    runner.cache.truncate(0, 48);
    expect(runner.cache.pruned(0)).toBe(first);
    expect(runner.cache.rows(0, 27)).toBe(48 - 26);
    runner.cache.truncate(0, 0);
    expect(runner.cache.pruned(0)).toBeUndefined();
  });
});

describe('an engine that prunes nothing', () => {
  it('gives the bits of the plain graph, also after it has pruned', async () => {
    const run = async (): Promise<Float32Array[]> => {
      reset(fixture.runner, 1, 128);
      const out = [(await feed(fixture.runner, 0, [middle.tokens])).logits];
      for (const token of seededTokens(3, 64, shape.vocab)) {
        out.push((await feed(fixture.runner, 0, [[token]])).logits);
      }
      return out;
    };
    const before = await run();
    reset(fixture.runner, 1, 128);
    await prune(0, middle, schedule);
    await feed(fixture.runner, 0, [[1]]);
    expect(await run()).toEqual(before);
  });
});
