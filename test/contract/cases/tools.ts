/** Tool calls of a backend that answers with the text of the last message, and reads it as Qwen's format. */

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { HumanMessage } from '@langchain/core/messages';
import { tool as langchainTool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { generateText, stepCountIs, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { zodFunction } from 'openai/helpers/zod';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { chat, type GetTarget, langchainOptions, type Reply, streamChat, user } from '../target.js';

const weather = z.object({ city: z.enum(['Paris', 'Rome']), days: z.int().min(1).max(9) });
const tools = [
  {
    type: 'function',
    function: { name: 'weather', description: 'Forecast', parameters: z.toJSONSchema(weather) },
  },
  { type: 'function', function: { name: 'now' } },
];
const callText = (name: string, args: object) =>
  `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
const parisCall = callText('weather', { city: 'Paris', days: 3 });
const enough = { max_tokens: 300 };

/** What an accumulating client makes of a stream, by the rules of the format. */
function accumulate(frames: readonly Reply[]) {
  const message = { content: '', reasoning: '', calls: [] as Reply[], finish: '' };
  for (const choice of frames.flatMap(({ choices }) => choices)) {
    message.content += choice.delta.content ?? '';
    message.reasoning += choice.delta.reasoning_content ?? '';
    message.finish ||= choice.finish_reason ?? '';
    for (const { index, id, type, function: called } of choice.delta.tool_calls ?? []) {
      const isFirst = message.calls[index] === undefined;
      expect({ id: id !== undefined, type, name: called.name !== undefined }).toEqual({
        id: isFirst,
        type: isFirst ? 'function' : undefined,
        name: isFirst,
      });
      message.calls[index] ??= { id, name: called.name, arguments: '' };
      message.calls[index].arguments += called.arguments;
    }
  }
  return message;
}

const ask = (content: string, body: object = {}) => ({ messages: user(content), tools, ...enough, ...body });

export function toolCases(target: GetTarget): void {
  const client = () => new OpenAI({ baseURL: `${target().url}/v1`, apiKey: 'none', maxRetries: 0 });
  const ask = (content: string, body: object = {}) => ({
    messages: user(content),
    tools,
    ...enough,
    ...body,
  });

  it('turns calls in the text into tool calls, whole and streamed', async () => {
    const text = `Let me see.\n${parisCall}\n${callText('now', {})}`;
    const { choices } = await chat(target(), ask(text));
    const { message, finish_reason } = choices[0];
    expect(finish_reason).toBe('tool_calls');
    expect(message.content).toBe('Let me see.');
    expect(message.tool_calls).toHaveLength(2);
    expect(message.tool_calls[0]).toMatchObject({
      type: 'function',
      id: expect.stringMatching(/^call_\w+$/),
    });
    expect(weather.parse(JSON.parse(message.tool_calls[0].function.arguments)).city).toBe('Paris');
    const frames = await streamChat(target(), ask(text));
    const streamed = accumulate(frames);
    expect(streamed).toMatchObject({ content: message.content, finish: 'tool_calls' });
    expect(streamed.calls.map(({ name, arguments: args }) => [name, args])).toEqual(
      message.tool_calls.map((call: Reply) => [call.function.name, call.function.arguments]),
    );
    const pieces = frames.flatMap(({ choices: [choice] }) => choice?.delta.tool_calls ?? []);
    expect(pieces.length).toBeGreaterThan(4);
  });

  it('has null content where there are only calls, and none of them where there are only words', async () => {
    const called = (await chat(target(), ask(parisCall))).choices[0].message;
    expect(called.content).toBeNull();
    const { message, finish_reason } = (await chat(target(), ask('Just words.'))).choices[0];
    expect(message).toEqual({ role: 'assistant', content: 'Just words.', refusal: null });
    expect(finish_reason).toBe('stop');
  });

  it('makes a call that validates when one is required, or a certain one is named', async () => {
    for (const [tool_choice, finish] of [
      ['required', 'tool_calls'],
      [{ type: 'function', function: { name: 'weather' } }, 'stop'],
    ] as const) {
      const body = ask('Words only', { tool_choice, n: 2, temperature: 1, seed: 5 });
      for (const { message, finish_reason } of (await chat(target(), body)).choices) {
        expect(finish_reason).toBe(finish);
        const { name, arguments: args } = message.tool_calls[0].function;
        if (name === 'weather') weather.parse(JSON.parse(args));
        else expect([name, args]).toEqual(['now', '{}']);
      }
    }
  });

  it('makes one call at most without parallel_tool_calls', async () => {
    const text = `${parisCall}\n${callText('now', {})}`;
    const { choices } = await chat(target(), ask(text, { parallel_tool_calls: false }));
    expect(choices[0].message.tool_calls).toHaveLength(1);
    const forced = await chat(target(), ask(text, { parallel_tool_calls: false, tool_choice: 'required' }));
    expect(forced.choices[0].message.tool_calls).toHaveLength(1);
  });

  it('leaves the text alone when no tool may be called', async () => {
    const { choices } = await chat(target(), ask(parisCall, { tool_choice: 'none' }));
    expect(choices[0].message.content).toBe(parisCall);
  });

  it('keeps a call that the length cut off', async () => {
    const { choices } = await chat(target(), ask(parisCall, { max_tokens: 60 }));
    expect(choices[0].finish_reason).toBe('length');
    expect(choices[0].message.tool_calls[0].function.arguments).toMatch(/^\{"city"/);
    const early = await chat(target(), ask(parisCall, { max_tokens: 20 }));
    expect(early.choices[0].message).toMatchObject({ content: parisCall.slice(0, 20) });
  });

  it('writes arguments of a strict tool to its schema, and refuses one that it cannot enforce', async () => {
    const parameters = { ...z.toJSONSchema(weather), not: {} };
    const strict = [{ type: 'function', function: { name: 'weather', parameters, strict: true } }];
    await expect(chat(target(), { ...ask('x'), tools: strict })).rejects.toThrow(
      'tools[0].function.parameters.not',
    );
    const loose = [{ type: 'function', function: { name: 'weather', parameters } }];
    const { choices } = await chat(target(), { ...ask(parisCall), tools: loose });
    expect(choices[0].message.tool_calls).toHaveLength(1);
  });

  it('answers to functions and function_call as before there were tools', async () => {
    const functions = tools.map((item) => item.function);
    const body = { messages: user(parisCall), functions, ...enough };
    const { message, finish_reason } = (await chat(target(), body)).choices[0];
    expect(finish_reason).toBe('function_call');
    expect(message.function_call).toMatchObject({ name: 'weather' });
    expect(message.tool_calls).toBeUndefined();
    const frames = await streamChat(target(), body);
    const pieces = frames.flatMap(({ choices: [choice] }) => choice?.delta.function_call ?? []);
    expect(pieces.filter(({ name }) => name !== undefined)).toHaveLength(1);
    expect(pieces.map((piece) => piece.arguments).join('')).toBe(message.function_call.arguments);
  });

  it('runs the tools of the openai package', async () => {
    const asked: string[] = [];
    const runner = client().chat.completions.runTools({
      model: target().model,
      messages: user(parisCall) as [],
      temperature: 0,
      max_tokens: 300,
      tools: [
        zodFunction({
          name: 'weather',
          parameters: weather,
          function: ({ city }) => {
            asked.push(city);
            return `Sun over ${city}`;
          },
        }),
      ],
    });
    expect(await runner.finalContent()).toBe('Sun over Paris');
    expect(asked).toEqual(['Paris']);
  });

  it('runs the tools of the openai package in a stream', async () => {
    const runner = client().chat.completions.runTools({
      model: target().model,
      messages: user(parisCall) as [],
      temperature: 0,
      max_tokens: 300,
      stream: true,
      tools: [zodFunction({ name: 'weather', parameters: weather, function: ({ days }) => `${days} days` })],
    });
    expect(await runner.finalContent()).toBe('3 days');
  });

  it('runs the tools of the ai package', async () => {
    const provider = createOpenAICompatible({ name: 'trimtab', baseURL: `${target().url}/v1` });
    const request = {
      model: provider(target().model),
      prompt: parisCall,
      temperature: 0,
      maxRetries: 0,
      stopWhen: stepCountIs(3),
      tools: {
        weather: tool({
          inputSchema: weather,
          execute: async ({ city }: { city: string }) => `Sun over ${city}`,
        }),
      },
    };
    const result = await generateText(request);
    expect(result.steps[0]!.toolCalls[0]).toMatchObject({
      toolName: 'weather',
      input: { city: 'Paris', days: 3 },
    });
    expect(result.text).toContain('Sun over Paris');
    const stream = streamText(request);
    await stream.consumeStream();
    expect((await stream.steps)[0]!.toolCalls).toMatchObject([{ toolName: 'weather' }]);
    expect(await stream.text).toContain('Sun over Paris');
  });

  it('binds tools of the @langchain/openai package', async () => {
    const model = new ChatOpenAI(langchainOptions(target()));
    const bound = model.bindTools([langchainTool(async () => 'sun', { name: 'weather', schema: weather })]);
    const message = await bound.invoke([new HumanMessage(parisCall)]);
    expect(message.tool_calls).toMatchObject([{ name: 'weather', args: { city: 'Paris', days: 3 } }]);
    let calls: unknown;
    let merged: Reply;
    for await (const chunk of await bound.stream([new HumanMessage(parisCall)])) {
      merged = merged === undefined ? chunk : merged.concat(chunk);
      calls = merged.tool_calls;
    }
    expect(calls).toMatchObject([{ name: 'weather', args: { city: 'Paris', days: 3 } }]);
    const structured = model.withStructuredOutput(weather, { method: 'functionCalling', name: 'weather' });
    expect(weather.parse(await structured.invoke('Words'))).toBeDefined();
  });
}

/** For a model that thinks first. */
export function thoughtCases(target: GetTarget): void {
  it('tells thoughts from the answer', async () => {
    const text = `<think>\nParis is in France.\n</think>\n\nIt is sunny. ${parisCall}`;
    const { message } = (await chat(target(), ask(text))).choices[0];
    expect(message).toMatchObject({ reasoning_content: 'Paris is in France.', content: 'It is sunny.' });
    expect(message.tool_calls).toHaveLength(1);
    const streamed = accumulate(await streamChat(target(), ask(text)));
    expect(streamed).toMatchObject({ reasoning: 'Paris is in France.', content: 'It is sunny.' });
  });

  it('gives reasoning to the ai package', async () => {
    const provider = createOpenAICompatible({ name: 'trimtab', baseURL: `${target().url}/v1` });
    const result = await generateText({
      model: provider(target().model),
      prompt: '<think>Hm.</think>Yes.',
      temperature: 0,
    });
    expect(result.reasoningText).toBe('Hm.');
    expect(result.text).toBe('Yes.');
  });
}
