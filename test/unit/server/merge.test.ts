import { describe, expect, it } from 'vitest';
import { merge } from '../../../src/server/merge.js';

async function* numbers(count: number, pauseMs: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    yield i;
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('merge', () => {
  it('keeps the order of each source and loses nothing', async () => {
    const merged = await collect(merge([() => numbers(5, 1), () => numbers(3, 2), () => numbers(0, 0)], 3));
    expect(merged.filter(({ source }) => source === 0).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4]);
    expect(merged.filter(({ source }) => source === 1).map(({ value }) => value)).toEqual([0, 1, 2]);
    expect(merged).toHaveLength(8);
  });

  it('opens no more sources at a time than allowed', async () => {
    let open = 0;
    let most = 0;
    const source = async function* () {
      most = Math.max(most, ++open);
      yield* numbers(2, 1);
      open--;
    };
    await collect(
      merge(
        Array.from({ length: 9 }, () => source),
        3,
      ),
    );
    expect(most).toBe(3);
  });

  it('takes turns between sources that are always ready', async () => {
    const eager = async function* () {
      for (let i = 0; i < 10; i++) yield i;
    };
    const merged = await collect(merge([eager, eager], 2));
    const firstHalf = merged.slice(0, 10).map(({ source }) => source);
    expect(firstHalf.filter((source) => source === 1).length).toBeGreaterThan(3);
  });

  it('ends the sources that are open when its reader leaves', async () => {
    let ended = 0;
    const source = async function* () {
      try {
        for (;;) yield 1;
      } finally {
        ended++;
      }
    };
    for await (const _ of merge([source, source, source], 2)) break;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(ended).toBe(2);
  });

  it('fails as a whole with the first failure, and swallows later ones', async () => {
    const failing = async function* (): AsyncGenerator<number> {
      await new Promise((resolve) => setTimeout(resolve, 1));
      throw new Error('broken');
    };
    await expect(collect(merge([() => numbers(9, 5), failing, failing], 3))).rejects.toThrow('broken');
  });
});
