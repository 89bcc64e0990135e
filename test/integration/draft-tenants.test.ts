/**
 * Secrets planted in the answers of one tenant: another tenant who is about to say the same never has more of it
 * drafted than if it had not been said, while the same tenant has nearly all of it drafted.
 */

import { expect, it } from 'vitest';
import { automaticDrafts } from '../../src/core/efficiency.js';
import { BYTE_EOS } from '../helpers/byte-tokenizer.js';
import { EngineHarness } from '../helpers/engine-harness.js';
import { generateRequest, type RequestOverrides } from '../helpers/generate-request.js';
import { seededTokens } from '../helpers/seeded.js';

const SECRETS = 20;
const LENGTH = 48;

const secretOf = (seed: number): number[] => seededTokens(seed, LENGTH, 90).map((token) => 0x20 + token);

/** More than `auto`, which would leave steps as short as these alone. */
const on = { efficiency: { draftVerification: { ...automaticDrafts, maxTokens: 63 } } };

/** What a model that says `script` drafts for a request: tokens that were accepted. */
async function say(
  harness: EngineHarness,
  script: readonly number[],
  request: RequestOverrides,
): Promise<number> {
  harness.model.runner.say([...script, BYTE_EOS]);
  const stop = { maxTokens: LENGTH + 8 };
  const { usage, choices } = await harness.submit(generateRequest({ ...on, stop, ...request })).result;
  expect(choices[0]!.text).toBe(String.fromCharCode(...script));
  return usage.efficiency?.draftVerification?.acceptedTokens ?? 0;
}

/** Accepted tokens when `listener` says the secret after `speaker` said `spoken` three times. */
async function overheard(
  spoken: readonly number[],
  secret: readonly number[],
  speaker: RequestOverrides,
  listener: RequestOverrides,
) {
  const harness = new EngineHarness();
  for (let time = 0; time < 3; time++) await say(harness, spoken, { prompt: `Tell me ${time}.`, ...speaker });
  const accepted = await say(harness, secret, { prompt: 'What is it?', ...listener });
  await harness.engine.close();
  return accepted;
}

const alice = { tenant: 'alice' };

it.each<[string, RequestOverrides]>([
  ['another tenant', { tenant: 'bob' }],
  ['nobody in particular', {}],
  ['the same tenant with another salt', { ...alice, cacheSalt: 'x' }],
])('drafts none of what a tenant was told for %s', async (_, stranger) => {
  let [planted, unplanted, own] = [0, 0, 0];
  for (let i = 0; i < SECRETS; i++) {
    const [secret, other] = [secretOf(2 * i), secretOf(2 * i + 1)];
    planted += await overheard(secret, secret, alice, stranger);
    unplanted += await overheard(other, secret, alice, stranger);
    own += await overheard(secret, secret, alice, alice);
  }
  expect(own).toBeGreaterThan(0.8 * SECRETS * LENGTH);
  // Chance hits of the stranger's own context and grams, the same with and without the secret.
  expect(planted).toBeLessThan(0.05 * own);
  expect(Math.abs(planted - unplanted)).toBeLessThan(0.02 * own);
});

it('drafts none of what a request said that wanted to leave no trace', async () => {
  const secret = secretOf(7);
  const accepted = await overheard(secret, secret, { ...alice, cachePrompt: false }, alice);
  expect(accepted).toBeLessThan(LENGTH / 8);
});
