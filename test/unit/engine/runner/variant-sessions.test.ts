import { readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { plainVariant } from '../../../../src/engine/graph/pipeline.js';
import { VariantSessions } from '../../../../src/engine/runner/variant-sessions.js';
import type { LoadedFixture } from '../../../helpers/fixture-model.js';
import { loadFixture } from '../../../helpers/fixture-model.js';

const adapted = { lowRank: true, hiddenStates: [] };
const opened = { lowRank: false, hiddenStates: [0] };
const minutes = (count: number): number => count * 60_000;

describe('sessions of the variants', () => {
  let model: LoadedFixture['model'];

  beforeAll(async () => {
    const fixture = await loadFixture('llama-gqa', { weights: 'int4', activations: 'int8' });
    await fixture.runner.close();
    model = fixture.model;
  });

  it('should load a variant once, when it is first asked for', async () => {
    const sessions = new VariantSessions(model, 1);
    expect(sessions.names).toEqual([]);
    const first = await sessions.get(adapted);
    expect(await sessions.get(adapted)).toBe(first);
    expect(sessions.names).toEqual(['low-rank/step']);
    await sessions.close();
    expect(sessions.names).toEqual([]);
  });

  it('should share one weight file among all of them', async () => {
    const sessions = new VariantSessions(model, 1);
    for (const variant of [plainVariant, adapted, opened]) await sessions.get(variant);
    const files = readdirSync(model.folder);
    expect(files).toEqual(expect.arrayContaining(['plain.onnx', 'low-rank.onnx', 'hidden-0.onnx']));
    expect(files.filter((file) => !file.endsWith('.onnx'))).toEqual(['weights.bin']);
    await sessions.close();
  });

  it('should release a variant that was idle for five minutes when another is loaded, never the plain one', async () => {
    let now = 0;
    const sessions = new VariantSessions(model, 1, () => now);
    await sessions.get(plainVariant);
    await sessions.get(adapted);
    now = minutes(4);
    await sessions.get(adapted);
    now = minutes(8);
    await sessions.get(opened);
    expect(sessions.names).toEqual(['plain/step', 'low-rank/step', 'hidden-0/step']);
    now = minutes(10);
    await sessions.get(plainVariant, 'prompt');
    expect(sessions.names).toEqual(['plain/step', 'hidden-0/step', 'plain/prompt']);
    await sessions.close();
  });
});
