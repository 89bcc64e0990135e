import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { costFileName, readCosts, writeCosts } from '../../../../src/decoding/speculative/cost-file.js';
import type { StepTiming } from '../../../../src/decoding/speculative/cost-model.js';
import { StepProbe } from '../../../../src/decoding/speculative/step-probe.js';
import { suiteFolder } from '../../../helpers/suite-folder.js';

const near: StepTiming[] = [1, 2, 4, 8].map((rows) => ({ rows, context: 60, ms: 5 + rows }));
const far: StepTiming[] = [1, 8].map((rows) => ({ rows, context: 900, ms: 9 + rows }));

describe('the costs of steps on disk', () => {
  const folder = join(suiteFolder(), 'drafts');
  const path = join(folder, costFileName('this machine'));

  it('come back as they were, for the same machine only', () => {
    writeCosts(path, 'this machine', near);
    expect(readCosts(path, 'this machine')).toEqual(near);
    expect(readCosts(path, 'another machine')).toBeUndefined();
    expect(readdirSync(folder)).toHaveLength(1);
    expect(costFileName('another machine')).not.toBe(costFileName('this machine'));
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{"version":1'],
    ['another version', JSON.stringify({ version: 2, machine: 'this machine', timings: near })],
    [
      'nonsense',
      JSON.stringify({ version: 1, machine: 'this machine', timings: [{ rows: 0, context: -1, ms: 'x' }] }),
    ],
    ['too much', ' '.repeat(1e6)],
  ])('count for nothing when the file holds %s', (_, text) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, text);
    expect(readCosts(path, 'this machine')).toBeUndefined();
  });

  it('count for nothing when there is no file', () => {
    expect(readCosts(join(folder, 'none'), 'this machine')).toBeUndefined();
  });
});

describe('a probe that is told what an earlier one measured', () => {
  it('measures long contexts only, and nothing once it knows these too', () => {
    const probe = new StepProbe(near);
    expect(probe.isComplete).toBe(true);
    expect(probe.width(100, 64)).toBeUndefined();
    expect(probe.width(900, 64)).toBe(1);
    const done = new StepProbe([...near, ...far]);
    expect([done.isComplete, done.width(100, 64), done.width(5000, 64)]).toEqual([
      true,
      undefined,
      undefined,
    ]);
  });

  it('measures everything when it is told nothing', () => {
    const probe = new StepProbe();
    expect([probe.isComplete, probe.width(10, 64)]).toEqual([false, 1]);
  });
});
