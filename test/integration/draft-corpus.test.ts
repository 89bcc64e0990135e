/** A corpus under the stores: more is accepted from the first request on, and nothing ever flows into it. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { automaticDrafts, type DraftSourceName, draftSources } from '../../src/core/efficiency.js';
import { writeCorpus } from '../../src/decoding/speculative/corpus-file.js';
import { countPairs } from '../../src/decoding/speculative/sources/ngram-source.js';
import { TrigramStore } from '../../src/decoding/speculative/trigram-store.js';
import { vocabularyOf } from '../../src/engine/corpus/vocabulary.js';
import { BYTE_EOS, ByteTokenizer } from '../helpers/byte-tokenizer.js';
import { type FakeModel, fakeModel, ModelHarness } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../helpers/generate-request.js';
import { seededTokens } from '../helpers/seeded.js';

const LENGTH = 200;
const folder = mkdtempSync(join(tmpdir(), 'draft-corpus-'));
const textOf = (seed: number): number[] => seededTokens(seed, LENGTH, 90).map((token) => 0x20 + token);
const known = textOf(1);

function corpusOf(name: string, texts: readonly (readonly number[])[]): string {
  const trigrams = new TrigramStore(2 ** 20);
  for (const text of texts) countPairs(trigrams, text);
  const file = join(folder, name);
  writeCorpus(file, vocabularyOf(new ByteTokenizer()), trigrams);
  return file;
}

const open = (draftCorpus: string | undefined) =>
  new ModelHarness<FakeModel>({ ...fakeModel(), draftCorpus }, {});

async function say(
  harness: ModelHarness<FakeModel>,
  script: readonly number[],
  request: RequestOverrides = {},
  sources: readonly DraftSourceName[] = draftSources,
) {
  harness.model.runner.say([...script, BYTE_EOS]);
  // More than `auto`, which would leave steps as short as these alone.
  const efficiency = { draftVerification: { ...automaticDrafts, maxTokens: 63, sources } };
  const stop = { maxTokens: LENGTH + 8 };
  const asked = generateRequest({ prompt: 'Go on.', stop, efficiency, ...request });
  const { usage, choices } = await harness.submit(asked).result;
  expect(choices[0]!.text).toBe(String.fromCharCode(...script));
  const receipt = usage.efficiency?.draftVerification;
  return {
    accepted: receipt?.acceptedTokens ?? 0,
    fromCorpus: receipt?.acceptedBySource.corpus ?? 0,
    draftedFromCorpus: receipt?.draftedBySource.corpus ?? 0,
  };
}

it('has more accepted of a first answer, whoever asks, and none where it is not among the sources', async () => {
  const without = await say(open(undefined), known);
  const harness = open(corpusOf('known', [known]));
  const first = await say(harness, known, { tenant: 'alice' });
  expect(first.accepted).toBeGreaterThan(without.accepted + LENGTH / 2);
  expect(first.fromCorpus).toBeGreaterThan(LENGTH / 2);
  const second = await say(harness, known, { tenant: 'bob' });
  expect(second.accepted).toBeGreaterThan(without.accepted + LENGTH / 2);
  const others = draftSources.filter((name) => name !== 'corpus');
  const barred = await say(open(corpusOf('known', [known])), known, {}, others);
  expect(barred.draftedFromCorpus).toBe(0);
});

it('learns nothing from tenants, in memory or on disk', async () => {
  const secret = textOf(7);
  const file = corpusOf('public', [known]);
  const before = readFileSync(file);
  const harness = open(file);
  const { base } = harness.engine.stats().drafts!.storeBytes;
  expect(base).toBeGreaterThan(10_000);
  for (let time = 0; time < 3; time++) await say(harness, secret, { tenant: 'alice' });
  const overheard = await say(harness, secret, { tenant: 'bob' });
  const unheard = await say(open(file), secret, { tenant: 'bob' });
  expect(overheard.fromCorpus).toBeLessThan(LENGTH / 8);
  expect(Math.abs(overheard.accepted - unheard.accepted)).toBeLessThan(LENGTH / 8);
  const own = await say(harness, secret, { tenant: 'alice' });
  expect(own.accepted).toBeGreaterThan(LENGTH / 2);
  expect(harness.engine.stats().drafts!.storeBytes.base).toBe(base);
  await harness.engine.close();
  expect(readFileSync(file)).toEqual(before);
});

it('is left aside with a warning when it is damaged, and costs nothing when there is none', async () => {
  const file = join(folder, 'damaged');
  writeFileSync(file, readFileSync(corpusOf('whole', [known])).subarray(100));
  const warning = new Promise<Error>((resolve) => process.once('warning', resolve));
  const harness = open(file);
  expect((await warning).message).toMatch(/damaged is not used: its version/);
  const damaged = await say(harness, known);
  const without = await say(open(undefined), known);
  for (const { draftedFromCorpus } of [damaged, without]) expect(draftedFromCorpus).toBe(0);
  expect(harness.engine.stats().drafts!.storeBytes.base).toBe(0);
});
