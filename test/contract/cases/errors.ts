import { describe, expect, it } from 'vitest';
import { errorOf, type GetTarget, post, type Reply, user } from '../target.js';

type Case = readonly [claim: string, body: object, param: string, code?: string];

const tools = [{ type: 'function', function: { name: 'f' } }];
const messages = user('hi');

function answer(schema: unknown) {
  return { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema } } };
}

const chatMistakes: Case[] = [
  ['messages that are null', { messages: null }, 'messages'],
  ['messages that are a string', { messages: 'hi' }, 'messages'],
  ['no messages', { messages: [] }, 'messages'],
  ['an empty message', { messages: [{}] }, 'messages[0].role'],
  ['a role that is a number', { messages: [{ role: 123, content: 'x' }] }, 'messages[0].role'],
  ['a role that nobody plays', { messages: [{ role: 'wizard', content: 'x' }] }, 'messages[0].role'],
  ['a message without content', { messages: [{ role: 'user' }] }, 'messages[0].content'],
  ['content that is a number', { messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
  [
    'a text part without text',
    { messages: [{ role: 'user', content: [{ type: 'text' }] }] },
    'messages[0].content[0].text',
  ],
  [
    'an unknown part',
    { messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
    'messages[0].content[0].type',
  ],
  ['an assistant that says nothing', { messages: [{ role: 'assistant' }] }, 'messages[0].content'],
  [
    'a tool message without its call',
    { messages: [{ role: 'tool', content: 'x' }] },
    'messages[0].tool_call_id',
  ],
  [
    '5,000 messages',
    { messages: Array.from({ length: 5000 }, () => ({ role: 'user', content: 'x' })) },
    'messages',
  ],
  ['n of 0', { messages, n: 0 }, 'n'],
  ['n of 129', { messages, n: 129 }, 'n'],
  ['n of 1.5', { messages, n: 1.5 }, 'n'],
  ['a temperature of 2.5', { messages, temperature: 2.5 }, 'temperature'],
  ['a temperature in words', { messages, temperature: 'hot' }, 'temperature'],
  ['top_p over 1', { messages, top_p: 1.01 }, 'top_p'],
  ['a huge bias', { messages, logit_bias: { 5: 1e9 } }, 'logit_bias.5'],
  ['a bias on a word', { messages, logit_bias: { cat: 1 } }, 'logit_bias.cat'],
  [
    '2,000 biases',
    { messages, logit_bias: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [i, 1])) },
    'logit_bias',
  ],
  ['10,000 stop strings', { messages, stop: Array.from({ length: 10_000 }, () => 'x') }, 'stop'],
  ['an empty stop string', { messages, stop: '' }, 'stop'],
  ['a stop string that is a number', { messages, stop: ['a', 5] }, 'stop[1]'],
  ['max_tokens of 0', { messages, max_tokens: 0 }, 'max_tokens'],
  ['negative max_completion_tokens', { messages, max_completion_tokens: -1 }, 'max_completion_tokens'],
  ['min_tokens over max_tokens', { messages, min_tokens: 5, max_tokens: 4 }, 'min_tokens'],
  ['top_logprobs of 21', { messages, logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
  ['top_logprobs without logprobs', { messages, top_logprobs: 2 }, 'top_logprobs'],
  ['stream_options without stream', { messages, stream_options: { include_usage: true } }, 'stream_options'],
  ['a stream that is a string', { messages, stream: 'yes' }, 'stream'],
  ['a fractional seed', { messages, seed: 0.5 }, 'seed'],
  ['an unknown key in efficiency', { messages, efficiency: { warp: 9 } }, 'efficiency'],
  [
    'an open and closed last message',
    { messages, continue_final_message: true, add_generation_prompt: true },
    'continue_final_message',
  ],
  ['tools for a model that has no place for them', { messages, tools }, 'tools', 'unsupported_parameter'],
  ['a forced tool without tools', { messages, tool_choice: 'required' }, 'tool_choice'],
  ['an unknown tool choice', { messages, tools, tool_choice: 'maybe' }, 'tool_choice'],
  [
    'a choice of no tool',
    { messages, tools, tool_choice: { type: 'function', function: { name: 'g' } } },
    'tool_choice',
  ],
  ['tools that are no array', { messages, tools: {} }, 'tools'],
  [
    'a tool without a name',
    { messages, tools: [{ type: 'function', function: {} }] },
    'tools[0].function.name',
  ],
  ['a tool of unknown kind', { messages, tools: [{ type: 'web_search' }] }, 'tools[0].type'],
  [
    'a name with spaces',
    { messages, tools: [{ type: 'function', function: { name: 'a b' } }] },
    'tools[0].function.name',
  ],
  ['two tools of one name', { messages, tools: [...tools, ...tools] }, 'tools[1].function'],
  ['tools and functions', { messages, tools, functions: [{ name: 'f' }] }, 'functions'],
  ['a forced function without functions', { messages, function_call: { name: 'f' } }, 'function_call'],
  ['an unknown answer format', { messages, response_format: { type: 'poem' } }, 'response_format.type'],
  ['an answer format that is no object', { messages, response_format: 'json' }, 'response_format'],
  [
    'an answer format without its schema',
    { messages, response_format: { type: 'json_schema' } },
    'response_format.json_schema.schema',
  ],
  ['a schema that is no object', { messages, ...answer('text') }, 'response_format.json_schema.schema'],
  [
    'a wrong type deep in a schema',
    { messages, ...answer({ type: 'object', properties: { a: { items: { type: 'text' } } } }) },
    'response_format.json_schema.schema.properties.a.items.type',
  ],
  [
    'a keyword that cannot be enforced',
    { messages, ...answer({ type: 'object', not: {} }) },
    'response_format.json_schema.schema.not',
    'unsupported_parameter',
  ],
  [
    'a schema without an end',
    { messages, ...answer({ $ref: '#' }) },
    'response_format.json_schema.schema.$ref',
  ],
  ['a damaged grammar', { messages, grammar: 'root ::= (' }, 'grammar'],
  ['a damaged pattern', { messages, guided_regex: '(' }, 'guided_regex'],
  ['no choices', { messages, guided_choice: [] }, 'guided_choice'],
  ['two answer formats', { messages, guided_regex: 'a', guided_choice: ['a'] }, 'guided_choice'],
  [
    'an unknown kind of structured output',
    { messages, structured_outputs: { poem: true } },
    'structured_outputs',
  ],
  ['spoken answers', { messages, modalities: ['text', 'audio'] }, 'modalities', 'unsupported_parameter'],
];

const completionMistakes: Case[] = [
  ['no prompt', {}, 'prompt'],
  ['a prompt that is an object', { prompt: {} }, 'prompt'],
  ['no prompts', { prompt: [] }, 'prompt'],
  ['prompts of mixed types', { prompt: ['a', 1] }, 'prompt[1]'],
  ['no token ids', { prompt: [[]] }, 'prompt[0]'],
  ['negative token ids', { prompt: [1, -2] }, 'prompt[1]'],
  ['fractional token ids', { prompt: [[1], [1.5]] }, 'prompt[1][0]'],
  ['1,000 prompts', { prompt: Array.from({ length: 1000 }, () => 'x') }, 'prompt'],
  ['max_tokens of 0 without echo', { prompt: 'x', max_tokens: 0 }, 'max_tokens'],
  ['logprobs that are true', { prompt: 'x', logprobs: true }, 'logprobs'],
  ['a suffix', { prompt: 'x', suffix: 'y' }, 'suffix', 'unsupported_parameter'],
  ['best_of 2', { prompt: 'x', best_of: 2 }, 'best_of', 'unsupported_parameter'],
];

export function errorCases(target: GetTarget): void {
  describe.each([
    { path: '/v1/chat/completions', mistakes: chatMistakes },
    { path: '/v1/completions', mistakes: completionMistakes },
  ])('$path', ({ path, mistakes }) => {
    const named = mistakes.map(([claim, body, param, code = 'invalid_request']) => ({
      claim,
      body,
      param,
      code,
    }));
    it.each(named)('names the field that is wrong: $claim', async ({ body, param, code }) => {
      for (const stream of [false, true]) {
        const asked = 'stream' in body || 'stream_options' in body ? body : { ...body, stream };
        const { status, error } = await errorOf(
          await post(target(), path, { model: target().model, ...asked }),
        );
        expect({ status, param: error.param, code: error.code }).toEqual({ status: 400, param, code });
        expect(error.type).toBe('invalid_request_error');
        expect(error.message).toContain(param);
      }
    });
  });

  it.each([
    ['infinity', '{"temperature":1e999}', 'invalid_request'],
    ['NaN', '{"temperature":NaN}', 'invalid_json'],
    ['half an object', '{"model":', 'invalid_json'],
    ['nothing', '', 'invalid_json'],
    ['an array', '[]', 'invalid_json'],
    ['a string', '"hello"', 'invalid_json'],
    ['null', 'null', 'invalid_json'],
    ['deep nesting', `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'invalid_json'],
  ])('refuses a body of %s', async (_claim, body, code) => {
    const { status, error } = await errorOf(await post(target(), '/v1/chat/completions', body));
    expect({ status, code: error.code }).toEqual({ status: 400, code });
  });

  it('refuses a body that is not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
    const { error } = await errorOf(await post(target(), '/v1/completions', '', { body }));
    expect(error.code).toBe('invalid_json');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1'])(
    'refuses content of type %s',
    async (type) => {
      const headers = { 'content-type': type };
      const { status, error } = await errorOf(await post(target(), '/v1/completions', '{}', { headers }));
      expect({ status, code: error.code }).toEqual({ status: 415, code: 'unsupported_media_type' });
    },
  );

  it.each(['input_audio', 'file'])('names a content part of type %s', async (type) => {
    const content = [
      { type: 'text', text: 'What is this?' },
      { type, [type]: { url: 'data:,' } },
    ];
    const body = { model: target().model, messages: [messages[0], { role: 'user', content }] };
    const { status, error } = await errorOf(await post(target(), '/v1/chat/completions', body));
    expect({ status, param: error.param }).toEqual({ status: 400, param: 'messages[1].content[1]' });
    expect(error.code).toBe('unsupported_parameter');
  });

  it.each([
    ['an image', { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }],
    ['a video', { type: 'video_url', video_url: { url: 'data:video/jpeg;base64,iVBORw0KGgo=' } }],
  ])('refuses %s for a model that reads text only', async (_, part) => {
    const body = { model: target().model, messages: [{ role: 'user', content: [part] }] };
    const { status, error } = await errorOf(await post(target(), '/v1/chat/completions', body));
    expect({ status, code: error.code, param: error.param }).toEqual({
      status: 400,
      code: 'unsupported_parameter',
      param: `messages[0].content[0].${part.type}`,
    });
  });

  it('answers 404 for a model that is not served', async () => {
    const body = { model: 'org/nobody', messages, prompt: 'x' };
    for (const path of ['/v1/chat/completions', '/v1/completions', '/tokenize']) {
      const { status, error } = await errorOf(await post(target(), path, body));
      expect({ status, code: error.code, type: error.type }).toEqual({
        status: 404,
        code: 'model_not_found',
        type: 'not_found_error',
      });
    }
  });

  it.each([false, true])('answers plain 400 for a prompt over the context (stream: %s)', async (stream) => {
    const { model } = target();
    const info: Reply = await (await fetch(`${target().url}/v1/models/${model}`)).json();
    const body = { model, messages: user('long '.repeat(info.max_model_len)), stream };
    const { status, error } = await errorOf(await post(target(), '/v1/chat/completions', body));
    expect({ status, code: error.code, param: error.param }).toEqual({
      status: 400,
      code: 'context_length_exceeded',
      param: 'messages',
    });
    expect(error).toMatchObject({ n_prompt_tokens: expect.any(Number), n_ctx: expect.any(Number) });
  });

  it('answers 404 for an unknown path and 405 for a wrong method', async () => {
    const unknown = await errorOf(await post(target(), '/v1/images', {}));
    expect({ status: unknown.status, code: unknown.error.code }).toEqual({ status: 404, code: 'not_found' });
    const wrong = await errorOf(await fetch(`${target().url}/v1/chat/completions`));
    expect({ status: wrong.status, code: wrong.error.code }).toEqual({
      status: 405,
      code: 'method_not_allowed',
    });
    expect(wrong.headers.get('allow')).toContain('POST');
  });
}
