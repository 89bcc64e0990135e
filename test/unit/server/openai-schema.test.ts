import { describe, expect, it } from 'vitest';
import { assertSchema } from '../../helpers/openai-schema.js';

const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };

function chat(message: object, finish_reason: unknown = 'stop') {
  const choices = [{ index: 0, message, logprobs: null, finish_reason }];
  return { id: 'a', object: 'chat.completion', created: 1, model: 'm', choices, usage };
}

describe('the schema oracle', () => {
  it('accepts a complete chat completion', () => {
    assertSchema('CreateChatCompletionResponse', chat({ role: 'assistant', content: 'x', refusal: null }));
  });

  it('rejects a message without refusal', () => {
    const reply = chat({ role: 'assistant', content: 'x' });
    expect(() => assertSchema('CreateChatCompletionResponse', reply)).toThrow(/refusal/);
  });

  it('rejects a finish reason that OpenAI does not know', () => {
    const reply = chat({ role: 'assistant', content: 'x', refusal: null }, 'abort');
    expect(() => assertSchema('CreateChatCompletionResponse', reply)).toThrow(/finish_reason/);
  });

  it('rejects a numeric error code', () => {
    const error = { message: 'no', type: 'invalid_request_error', param: null, code: 400 };
    expect(() => assertSchema('ErrorResponse', { error })).toThrow(/code/);
  });

  it('accepts null finish reasons in frames of a text completion only', () => {
    const choices = [{ index: 0, text: 'x', logprobs: null, finish_reason: null }];
    const frame = { id: 'a', object: 'text_completion', created: 1, model: 'm', choices };
    assertSchema('CompletionStreamResponse', frame);
    expect(() => assertSchema('CreateCompletionResponse', frame)).toThrow(/finish_reason/);
  });
});
