/** Answers of a given form from models that would never give them by themselves. */

import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OutputFormat } from '../../src/core/messages.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import { ByteTokenizer } from '../helpers/byte-tokenizer.js';
import { fakeModel, ModelHarness } from '../helpers/engine-harness.js';
import { loadFixture } from '../helpers/fixture-model.js';
import { validSchemas } from '../helpers/json-schemas.js';
import { suiteFolder } from '../helpers/suite-folder.js';

const ajv = new Ajv2020({ strict: false, logger: false });
const cacheDir = suiteFolder();

async function nano(): Promise<LoadedModel> {
  const folder = fileURLToPath(new URL('../../models/nano', import.meta.url));
  return loadModel({ id: 'nano', folder, weights: 'fp32', cacheDir, threads: 1 });
}

/** Random weights that know no language at all; their tokens are bytes, and some that stand for nothing. */
async function random(fixture: string): Promise<LoadedModel> {
  const { runner } = await loadFixture(fixture, { weights: 'fp32', activations: 'fp32' });
  return { ...fakeModel(), runner, tokenizer: new ByteTokenizer() };
}

const models: Readonly<Record<string, () => Promise<LoadedModel>>> = {
  nano,
  'llama-gqa': () => random('llama-gqa'),
  qwen3: () => random('qwen3'),
};

const schemaFormat = (schema: unknown): OutputFormat => ({ kind: 'json-schema', schema, field: 'schema' });
const point = {
  type: 'object',
  properties: { x: { type: 'integer', minimum: -50, maximum: 50 }, on: { enum: ['top', 'bottom', 'tip'] } },
  required: ['x', 'on'],
  additionalProperties: false,
};

describe.each(Object.entries(models))('structured output of %s', (_, load) => {
  let harness: ModelHarness<LoadedModel>;
  beforeAll(async () => {
    harness = new ModelHarness(await load(), { kvTokens: 16_384 });
  }, 60_000);
  afterAll(() => harness?.engine.close());

  const run = (overrides: Parameters<typeof harness.run>[0]) =>
    harness.run({ prompt: 'Give me an example.', ...overrides });

  it.each(Object.entries(validSchemas))('validates: %s', async (_name, { schema }) => {
    const validate = ajv.compile(schema);
    const limits = { maxTokens: 120 };
    const drawn = { temperature: 1, seed: 3 };
    const requests = [
      run({ outputFormat: schemaFormat(schema), stop: limits }),
      run({ outputFormat: schemaFormat(schema), stop: limits, n: 2, sampling: drawn }),
    ];
    for (const { choices } of await Promise.all(requests)) {
      for (const { text, reason } of choices) {
        if (reason === 'length') continue; // a string without a limit may go on for ever
        expect(validate(JSON.parse(text)), `${text}: ${ajv.errorsText(validate.errors)}`).toBe(true);
      }
    }
  });

  it('comes to an end wherever the form has one, greedy or drawn', async () => {
    const format = schemaFormat({ type: 'array', items: point, minItems: 2, maxItems: 3 });
    for (const sampling of [{}, { temperature: 2, seed: 1 }, { temperature: 1, seed: 2, topK: 3 }]) {
      const { choices } = await run({ outputFormat: format, sampling, n: 3, stop: { maxTokens: 400 } });
      for (const { text, reason } of choices) {
        expect(reason).toBe('stop');
        expect(ajv.validate({ type: 'array', items: point }, JSON.parse(text))).toBe(true);
      }
    }
  });

  it('gives in a batch what it gives alone, and leaves the others as they are', async () => {
    const constrained = { outputFormat: schemaFormat(point), sampling: { temperature: 1, seed: 9 } };
    const free = { sampling: { temperature: 1, seed: 4 }, stop: { maxTokens: 30 } };
    const alone = [await run({ ...constrained, stop: { maxTokens: 60 } }), await run(free)];
    const together = await Promise.all([
      run({ ...constrained, stop: { maxTokens: 60 } }),
      run(free),
      run({ outputFormat: schemaFormat({ type: 'object' }), stop: { maxTokens: 40 } }),
    ]);
    expect(together.slice(0, 2).map(({ choices }) => choices)).toEqual(alone.map(({ choices }) => choices));
  });

  it('lifts bans and minimum lengths, but never the form', async () => {
    const format: OutputFormat = { kind: 'choice', choices: ['a', 'b'], field: 'choice' };
    const { choices } = await run({ outputFormat: format, stop: { minTokens: 8, maxTokens: 16 } });
    expect(choices[0]).toMatchObject({ text: expect.stringMatching(/^[ab]$/), reason: 'stop' });
  });

  it('ends at a stop string all the same', async () => {
    const { choices } = await run({
      outputFormat: schemaFormat(point),
      stop: { strings: ['"on'], maxTokens: 60 },
    });
    expect(choices[0]).toMatchObject({ reason: 'stop', matchedStop: '"on' });
    expect(choices[0]!.text).toMatch(/^\{\s*"x": ?-?\d+,\s*$/);
  });

  it('refuses what no tokens can spell, and what is too complex, and goes on serving', async () => {
    const unfit: OutputFormat = { kind: 'grammar', text: 'root ::= [a-z] root', field: 'grammar' };
    await expect(run({ outputFormat: unfit })).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'grammar',
    });
    const hostile = schemaFormat({ type: 'string', pattern: '(?=.*a.{40}$)(?=.*b.{41}$)(?=.*c.{42}$)x' });
    await expect(run({ outputFormat: hostile })).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'schema',
    });
    expect((await run({ stop: { maxTokens: 3 } })).usage.completionTokens).toBeGreaterThan(0);
  });
});
