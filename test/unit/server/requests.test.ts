import { describe, expect, it } from 'vitest';
import { parseChatRequest } from '../../../src/server/openai/chat-request.js';
import { parseCompletionRequest } from '../../../src/server/openai/completion-request.js';
import { parseTokenizeRequest } from '../../../src/server/openai/tokenize-request.js';

const messages = [{ role: 'user', content: 'hi' }];
const chat = (body: object) => parseChatRequest({ model: 'm', messages, ...body }, 'id').generate;
const completion = (body: object) =>
  parseCompletionRequest({ model: 'm', prompt: 'hi', ...body }, 'id').generate[0]!;

describe('parseChatRequest', () => {
  it("has OpenAI's defaults", () => {
    expect(chat({})).toEqual({
      id: 'id',
      model: 'm',
      prompt: { kind: 'chat', messages, addGenerationPrompt: true, continueFinalMessage: false },
      n: 1,
      sampling: {
        temperature: 1,
        topP: 1,
        topK: 0,
        minP: 0,
        presencePenalty: 0,
        frequencyPenalty: 0,
        repetitionPenalty: 1,
        logitBias: [],
        seed: undefined,
      },
      stop: {
        strings: [],
        tokenIds: [],
        ignoreEos: false,
        maxTokens: undefined,
        minTokens: 0,
        includeStopString: false,
      },
      topLogprobs: undefined,
      echo: false,
      skipSpecialTokens: true,
      priority: 0,
      cachePrompt: true,
      cacheSalt: undefined,
      efficiency: {},
    });
  });

  it('passes on every field that shapes the answer', () => {
    const request = chat({
      n: 3,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.1,
      presence_penalty: 1,
      frequency_penalty: -1,
      repetition_penalty: 1.2,
      logit_bias: { 5: -100, 7: 2.5 },
      seed: -42,
      stop: ['a', 'b'],
      stop_token_ids: [9],
      ignore_eos: true,
      max_tokens: 99,
      max_completion_tokens: 50,
      min_tokens: 4,
      include_stop_str_in_output: true,
      logprobs: true,
      top_logprobs: 5,
      skip_special_tokens: false,
      priority: -3,
      cache_prompt: false,
      cache_salt: 'salt',
      chat_template_kwargs: { enable_thinking: false },
    });
    expect(request).toMatchObject({
      n: 3,
      prompt: { templateVariables: { enable_thinking: false } },
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        minP: 0.1,
        presencePenalty: 1,
        frequencyPenalty: -1,
        repetitionPenalty: 1.2,
        logitBias: [
          [5, -100],
          [7, 2.5],
        ],
        seed: -42,
      },
      stop: {
        strings: ['a', 'b'],
        tokenIds: [9],
        ignoreEos: true,
        maxTokens: 50,
        minTokens: 4,
        includeStopString: true,
      },
      topLogprobs: 5,
      skipSpecialTokens: false,
      priority: -3,
      cachePrompt: false,
      cacheSalt: 'salt',
    });
  });

  it('leaves the last message open when it is to be continued', () => {
    expect(chat({ continue_final_message: true }).prompt).toMatchObject({
      addGenerationPrompt: false,
      continueFinalMessage: true,
    });
  });

  it('keeps the history of tool calls and reasoning', () => {
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const history = [
      { role: 'developer', content: 'Be brief.', name: 'boss' },
      { role: 'assistant', content: null, tool_calls: [call], reasoning: 'hm' },
      {
        role: 'tool',
        tool_call_id: 'c1',
        content: [
          { type: 'text', text: '4' },
          { type: 'text', text: '2' },
        ],
      },
      { role: 'function', name: 'f', content: '42' },
    ];
    const { prompt } = chat({ messages: history });
    expect(prompt).toMatchObject({
      messages: [
        { role: 'developer', content: 'Be brief.', name: 'boss' },
        { role: 'assistant', content: null, tool_calls: [call], reasoning_content: 'hm' },
        { role: 'tool', tool_call_id: 'c1', content: '42' },
        { role: 'tool', name: 'f', content: '42' },
      ],
    });
  });

  it('replaces half a surrogate pair, which no tokenizer can encode', () => {
    const { prompt } = chat({ messages: [{ role: 'user', content: 'a\ud83db' }] });
    expect(prompt).toMatchObject({ messages: [{ content: 'a\ufffdb' }] });
  });

  it('reads top_k of -1 as no limit', () => {
    expect(chat({ top_k: -1 }).sampling.topK).toBe(0);
  });

  it('asks for no alternatives when only logprobs is true', () => {
    expect(chat({ logprobs: true }).topLogprobs).toBe(0);
  });

  it('refuses a million bad items with one complaint', () => {
    const million = Array.from({ length: 1_000_000 }, () => 1);
    expect(() => chat({ messages: million })).toThrow(
      'messages: expected ≤ 4096 items, received an array of 1000000',
    );
    expect(() => chat({ stop: million })).toThrow('stop: expected');
  });
});

describe('parseCompletionRequest', () => {
  it('gives each prompt its own request', () => {
    const { generate } = parseCompletionRequest(
      { model: 'm', prompt: [[1, 2], [3]], n: 2, echo: true },
      'cmpl-1',
    );
    expect(generate.map(({ id, prompt, n, echo }) => ({ id, prompt, n, echo }))).toEqual([
      { id: 'cmpl-1-0', prompt: { kind: 'tokens', ids: [1, 2] }, n: 2, echo: true },
      { id: 'cmpl-1-1', prompt: { kind: 'tokens', ids: [3] }, n: 2, echo: true },
    ]);
  });

  it('generates 16 tokens by default and fills the context on null', () => {
    expect(completion({}).stop.maxTokens).toBe(16);
    expect(completion({ max_tokens: null }).stop.maxTokens).toBeUndefined();
  });

  it('refuses more choices than a reply should hold', () => {
    expect(() => completion({ prompt: Array.from({ length: 100 }, () => 'x'), n: 100 })).toThrow(/^n: /);
  });
});

describe('parseTokenizeRequest', () => {
  it('adds special tokens to text, and leaves those of a chat to its template', () => {
    expect(parseTokenizeRequest({ prompt: 'x' }).addSpecialTokens).toBe(true);
    expect(parseTokenizeRequest({ messages }).addSpecialTokens).toBe(false);
    expect(parseTokenizeRequest({ content: 'x' }).addSpecialTokens).toBe(false);
  });

  it('refuses pieces in the shape of another server', () => {
    expect(() => parseTokenizeRequest({ content: 'x', with_pieces: true })).toThrow(/with_pieces/);
  });
});
