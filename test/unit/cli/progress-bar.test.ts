import { describe, expect, test } from 'vitest';
import { formatBytes, formatDuration, ProgressBar } from '../../../src/cli/progress-bar.js';

/** A stream that keeps what is written, and a clock that a test moves. */
function setup(terminal: { isTTY?: boolean; columns?: number }) {
  const written: string[] = [];
  const clock = { now: 0 };
  const stream = { ...terminal, write: (text: string) => written.push(text) };
  return { written, clock, bar: new ProgressBar(stream, 'org/model', () => clock.now) };
}

const at = (doneBytes: number, totalBytes: number, resumedBytes = 0) => ({
  doneBytes,
  resumedBytes,
  totalBytes,
});

describe('on a terminal', () => {
  test('redraws one line with bar, rate and time left, at most ten times a second', () => {
    const { written, clock, bar } = setup({ isTTY: true, columns: 100 });
    for (let ms = 0; ms <= 1000; ms += 10) {
      clock.now = ms;
      bar.update(at(ms * 1000, 10_000_000));
    }
    expect(written).toHaveLength(11);
    const drawn = `[===${' '.repeat(27)}]`;
    expect(written.at(-1)).toBe(`\r\x1b[2K${drawn} org/model 10% 1.0 MB of 10.0 MB, 1.0 MB/s, 9s left`);
  });

  test('never draws past the width of the terminal', () => {
    for (const columns of [20, 60, 70, 80, 200]) {
      const { written, clock, bar } = setup({ isTTY: true, columns });
      bar.update(at(0, 2e9));
      clock.now = 1000;
      bar.update(at(1e6, 2e9));
      const facts = written.at(-1)!.replace('\r\x1b[2K', '');
      if (facts.startsWith('[')) expect(facts.length).toBeLessThan(columns);
    }
  });

  test('does not take what an earlier run left for speed', () => {
    const { written, clock, bar } = setup({ isTTY: true });
    bar.update(at(1000, 10_000_000, 0));
    clock.now = 1000;
    bar.update(at(5_101_000, 10_000_000, 5_000_000));
    expect(written.at(-1)).toContain('100 kB/s, 49s left');
  });

  test('always draws the end, and then leaves the line', () => {
    const { written, bar } = setup({ isTTY: true });
    bar.update(at(1, 2));
    bar.update(at(2, 2));
    bar.end();
    expect(written.at(-2)).toContain('100% 2 B of 2 B');
    expect(written.at(-1)).toBe('\n');
  });
});

describe('elsewhere', () => {
  test('prints plain lines, ten seconds apart, and the last', () => {
    const { written, clock, bar } = setup({});
    for (let ms = 0; ms <= 25_000; ms += 500) {
      clock.now = ms;
      bar.update(at(ms, 25_000));
    }
    bar.end();
    expect(written.map((line) => line.split(' ')[1])).toEqual(['0%', '40%', '80%', '100%']);
    expect(written.every((line) => line.endsWith('\n') && !line.includes('\x1b'))).toBe(true);
  });
});

test('sizes and times are short', () => {
  expect([0, 999, 1000, 99_949, 999_499, 999_999, 1.5e9, 3e15].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '99.9 kB',
    '999 kB',
    '1.0 MB',
    '1.5 GB',
    '3.0 PB',
  ]);
  expect([0, 1, 59_000, 60_000, 200_000, 7_500_000].map(formatDuration)).toEqual([
    '0s',
    '1s',
    '59s',
    '1m 0s',
    '3m 20s',
    '2h 5m',
  ]);
});
