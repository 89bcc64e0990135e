import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateObject, streamObject } from 'ai';
import { Ajv2020 } from 'ajv/dist/2020.js';
import OpenAI from 'openai';
import { LengthFinishReasonError } from 'openai/core/error';
import { zodResponseFormat } from 'openai/helpers/zod';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { chat, complete, type GetTarget, langchainOptions, streamChat, user } from '../target.js';

/** Small enough that any model comes to an end. */
const trip = z.object({
  city: z.enum(['Paris', 'Rome', 'Oslo']),
  days: z.int().min(1).max(14),
  stops: z.array(z.object({ name: z.string().max(6), by: z.enum(['train', 'boat']) })).max(2),
  note: z.string().max(8).nullable(),
});

const messages = user('Plan a trip to Paris.');
const format = {
  type: 'json_schema',
  json_schema: { name: 'trip', schema: z.toJSONSchema(trip), strict: true },
};
const enough = { max_tokens: 250 };

export function structuredOutputCases(target: GetTarget): void {
  const client = () => new OpenAI({ baseURL: `${target().url}/v1`, apiKey: 'none', maxRetries: 0 });
  const provider = () =>
    createOpenAICompatible({
      name: 'trimtab',
      baseURL: `${target().url}/v1`,
      supportsStructuredOutputs: true,
    });

  it('answers with JSON that validates, whole or streamed, in every choice', async () => {
    const body = { messages, response_format: format, n: 3, temperature: 1, seed: 7, ...enough };
    const whole = await chat(target(), body);
    const validate = new Ajv2020().compile(z.toJSONSchema(trip));
    for (const choice of whole.choices) {
      expect(choice.finish_reason).toBe('stop');
      expect(validate(JSON.parse(choice.message.content)), choice.message.content).toBe(true);
    }
    const texts = ['', '', ''];
    for (const { choices } of await streamChat(target(), body)) {
      for (const { index, delta } of choices) texts[index] += delta.content ?? '';
    }
    expect(texts).toEqual(
      whole.choices.map((choice: { message: { content: string } }) => choice.message.content),
    );
  });

  it('answers with any object for json_object', async () => {
    const schema = {
      type: 'object',
      maxProperties: 1,
      additionalProperties: { type: 'boolean' },
      propertyNames: { pattern: '^[a-z]{1,4}$' },
    };
    for (const response_format of [{ type: 'json_object' }, { type: 'json_object', schema }]) {
      const { choices } = await chat(target(), { messages: user('{"a": true}'), response_format, ...enough });
      if (choices[0].finish_reason === 'stop')
        expect(JSON.parse(choices[0].message.content)).toBeTypeOf('object');
      expect(choices[0].message.content).toMatch(/^\{/);
    }
  });

  it.each([
    [{ guided_choice: ['yes', 'no', 'maybe'] }, /^(yes|no|maybe)$/],
    [{ guided_regex: '[A-C]{2}-\\d' }, /^[A-C]{2}-\d$/],
    [{ guided_json: '{"type":"boolean"}' }, /^(true|false)$/],
    [{ guided_grammar: 'root ::= ("ab" | "c")  tail\ntail ::= [0-9]{1,2} "."' }, /^(ab|c)\d{1,2}\.$/],
    [{ grammar: 'root ::= "é" [x-z]' }, /^é[x-z]$/],
    [{ json_schema: { enum: [1, 'two'] } }, /^(1|"two")$/],
    [{ schema: { const: 'x' } }, /^"x"$/],
    [{ structured_outputs: { regex: 'a{3}|b' } }, /^(aaa|b)$/],
    [{ structured_outputs: { choice: ['ja', 'nein'] } }, /^(ja|nein)$/],
    [{ structured_outputs: { json: { type: 'null' } } }, /^null$/],
  ])('keeps to %j, in chats and texts', async (fields, pattern) => {
    const { choices } = await chat(target(), { messages, ...fields, logprobs: true });
    expect(choices[0].message.content).toMatch(pattern);
    expect(choices[0].finish_reason).toBe('stop');
    const tokens = choices[0].logprobs.content.map((entry: { token: string }) => entry.token);
    if (!tokens.join('').includes('\ufffd')) expect(tokens.join('')).toBe(choices[0].message.content);
    const text = await complete(target(), { prompt: 'Say something', ...fields, max_tokens: 24 });
    expect(text.choices[0].text).toMatch(pattern);
  });

  it('goes on with an answer that the caller began', async () => {
    const begun = '{"city":"Ro';
    const { choices } = await chat(target(), {
      messages: [...messages, { role: 'assistant', content: begun }],
      response_format: format,
      continue_final_message: true,
      ...enough,
    });
    expect(trip.parse(JSON.parse(begun + choices[0].message.content)).city).toBe('Rome');
  });

  it('is parsed by the openai package', async () => {
    const body = { model: target().model, messages: messages as [], temperature: 0 };
    const response_format = zodResponseFormat(trip, 'trip');
    const completion = await client().chat.completions.parse({ ...body, response_format, ...enough });
    expect(trip.parse(completion.choices[0]!.message.parsed).days).toBeGreaterThan(0);
    const stream = client().chat.completions.stream({ ...body, response_format, ...enough });
    expect((await stream.finalChatCompletion()).choices[0]!.message.parsed).toEqual(
      completion.choices[0]!.message.parsed,
    );
    await expect(
      client().chat.completions.parse({ ...body, response_format, max_tokens: 2 }),
    ).rejects.toThrow(LengthFinishReasonError);
  });

  it('is an object for the ai package', async () => {
    const request = {
      model: provider()(target().model),
      schema: trip,
      prompt: 'Plan a trip',
      temperature: 0,
      maxRetries: 0,
    };
    const { object } = await generateObject(request);
    expect(trip.parse(object)).toEqual(object);
    const stream = streamObject(request);
    let last: unknown;
    for await (const partial of stream.partialObjectStream) last = partial;
    expect(last).toEqual(object);
  });

  it('is an object for the @langchain/openai package', async () => {
    const model = new ChatOpenAI(langchainOptions(target()));
    const structured = model.withStructuredOutput(trip, { method: 'jsonSchema', name: 'trip' });
    expect(trip.parse(await structured.invoke('Plan a trip'))).toBeDefined();
  });
}
