/** Tool calls of models that know nothing of tools: the grammar alone makes them valid. */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ToolCallDelta, ToolUse } from '../../src/core/messages.js';
import { plainFormat } from '../../src/engine/answer/answer-format.js';
import { hermes } from '../../src/engine/answer/formats/hermes.js';
import { llama3 } from '../../src/engine/answer/formats/llama3.js';
import { mistral } from '../../src/engine/answer/formats/mistral.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import { ByteTokenizer } from '../helpers/byte-tokenizer.js';
import { fakeModel, ModelHarness, type Result } from '../helpers/engine-harness.js';
import { loadFixture } from '../helpers/fixture-model.js';
import { suiteFolder } from '../helpers/suite-folder.js';

const parameters = {
  type: 'object',
  properties: { city: { enum: ['Paris', 'Rome'] }, days: { type: 'integer', minimum: 1, maximum: 9 } },
  required: ['city', 'days'],
  additionalProperties: false,
};
const functions = [
  { name: 'weather', parameters, strict: false, field: 'tools[0].function.parameters' },
  { name: 'now', parameters: undefined, strict: false, field: 'tools[1].function.parameters' },
];
const use: ToolUse = { functions, choice: 'required', parallel: true, field: 'tools' };
const validate = new Ajv2020().compile(parameters);

function callsOf({ events }: Result, choice: number) {
  const calls: { name: string; arguments: string }[] = [];
  const deltas = events.flatMap((event) =>
    event.type === 'delta' && event.choice === choice ? (event.toolCalls ?? []) : [],
  );
  for (const { index, name, arguments: text } of deltas as readonly ToolCallDelta[]) {
    calls[index] ??= { name: name!, arguments: '' };
    calls[index].arguments += text;
  }
  return calls;
}

describe.each([hermes, llama3, mistral])('tool calls in the format of $name', (tools) => {
  let harness: ModelHarness<LoadedModel>;
  beforeAll(async () => {
    const { runner } = await loadFixture('qwen3', { weights: 'fp32', activations: 'fp32' });
    const answerFormat = { ...plainFormat, tools, takesTools: true };
    const model = { ...fakeModel(), runner, tokenizer: new ByteTokenizer(), answerFormat };
    harness = new ModelHarness<LoadedModel>(model, { kvTokens: 16_384 });
  });
  afterAll(() => harness.engine.close());

  it('are always valid when one is required', async () => {
    const sampling = { temperature: 1, seed: 6 };
    const one = { ...use, parallel: false };
    const result = await harness.run({ tools: one, n: 4, sampling, stop: { maxTokens: 400 } });
    for (const [choice, { reason, text }] of result.choices.entries()) {
      expect([reason, text]).toEqual(['stop', '']);
      const [call, ...others] = callsOf(result, choice);
      expect(others).toEqual([]);
      if (call!.name === 'weather') expect(validate(JSON.parse(call!.arguments)), call!.arguments).toBe(true);
      else expect(call).toEqual({ name: 'now', arguments: '{}' });
    }
  });

  it('are valid wherever they come when the model is free to call', async () => {
    const sampling = { temperature: 1, seed: 2 };
    const result = await harness.run({
      tools: { ...use, choice: 'auto' },
      n: 2,
      sampling,
      stop: { maxTokens: 60 },
    });
    for (const choice of result.choices.keys()) {
      for (const call of callsOf(result, choice)) expect(['weather', 'now']).toContain(call.name);
    }
  });
});

describe('the embedded model under a chat template with tools', () => {
  const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const folder = suiteFolder();
  let harness: ModelHarness<LoadedModel>;
  beforeAll(async () => {
    const files = [
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'preprocessor_config.json',
      'processor_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ];
    for (const name of files) copyFileSync(path(`models/nano/${name}`), join(folder, name));
    copyFileSync(
      path('test/fixtures/chat-templates/chatml-tools.jinja'),
      join(folder, 'chat_template.jinja'),
    );
    const options = { id: 'nano', folder, weights: 'fp32', cacheDir: suiteFolder(), threads: 1 } as const;
    harness = new ModelHarness(await loadModel(options), { kvTokens: 16_384 });
  }, 60_000);
  afterAll(() => harness.engine.close());

  it('calls them as the template writes calls', async () => {
    expect(harness.model.info.toolFormat).toBe('hermes');
    const tools = functions.map(({ name }) => ({ type: 'function', function: { name, parameters } }));
    const prompt = {
      kind: 'chat',
      messages: [{ role: 'user', content: 'What is the weather in Rome?' }],
      templateVariables: { tools },
      addGenerationPrompt: true,
      continueFinalMessage: false,
    } as const;
    const result = await harness.run({ prompt, tools: use, stop: { maxTokens: 200 } });
    expect(result.choices[0]).toMatchObject({ reason: 'stop', text: '' });
    for (const call of callsOf(result, 0)) {
      if (call.name === 'weather') expect(validate(JSON.parse(call.arguments)), call.arguments).toBe(true);
      else expect(call).toEqual({ name: 'now', arguments: '{}' });
    }
    expect(callsOf(result, 0).length).toBeGreaterThan(0);
  });
});

describe('a model whose template has no place for tools', () => {
  it('refuses them by name', async () => {
    const harness = new ModelHarness<LoadedModel>(fakeModel(), {});
    await expect(harness.run({ tools: use })).rejects.toMatchObject({
      code: 'unsupported_parameter',
      param: 'tools',
    });
  });
});
