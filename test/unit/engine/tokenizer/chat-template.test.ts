import { describe, expect, it } from 'vitest';
import {
  type ChatRequest,
  ChatTemplate,
  type TemplateMessage,
} from '../../../../src/engine/tokenizer/chat-template.js';
import { withoutBytes } from '../../../../src/engine/tokenizer/image-placeholders.js';
import { expectedRenderings, type RenderingCase, readFixture } from './text-fixtures.js';

const expected = expectedRenderings();
const user = (content: string): TemplateMessage => ({ role: 'user', content });

function template(source: string, options: { timeoutMs?: number; now?: () => Date } = {}): ChatTemplate {
  return new ChatTemplate(new Map([['default', source]]), { specialTokens: expected.variables, ...options });
}

function request(messages: readonly TemplateMessage[], more: Partial<ChatRequest> = {}): ChatRequest {
  return { messages, addGenerationPrompt: false, continueFinalMessage: false, ...more };
}

function renderCase({ template: name, conversation, options }: RenderingCase): string {
  const { add_generation_prompt, continue_final_message, ...templateVariables } = options;
  return template(readFixture(`chat-templates/${name}.jinja`)).render({
    messages: withoutBytes(expected.conversations[conversation]!, 'video'),
    templateVariables,
    addGenerationPrompt: add_generation_prompt === true,
    continueFinalMessage: continue_final_message === true,
  });
}

describe('ChatTemplate against transformers', () => {
  const names = [...new Set(expected.cases.map((each) => each.template))];

  it.each(names)('%s renders every conversation and variant the same', (name) => {
    const cases = expected.cases.filter((each) => each.template === name);
    for (const each of cases) {
      const label = `${each.conversation} ${Object.keys(each.options)}`;
      if (each.text !== undefined) expect(renderCase(each), label).toBe(each.text);
      else
        expect(() => renderCase(each), label).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    }
  });
});

describe('ChatTemplate', () => {
  it("passes the template's own refusal on, in its words", () => {
    const refusing = template("{{ raise_exception('Roles must alternate.') }}");
    const error = { code: 'invalid_request', param: 'messages', message: 'Roles must alternate.' };
    expect(() => refusing.render(request([]))).toThrow(expect.objectContaining(error));
  });

  it('turns the developer role into system unless the template knows it', () => {
    const messages: TemplateMessage[] = [{ role: 'developer', content: 'x' }];
    expect(template('{{ messages[0].role }}').render(request(messages))).toBe('system');
    expect(template("{{ messages[0].role }}{# 'developer' #}").render(request(messages))).toBe('developer');
  });

  it('gives tool arguments as data, or as text to a template that pastes them', () => {
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } } as const;
    const messages: TemplateMessage[] = [{ role: 'assistant', content: null, tool_calls: [call] }];
    const path = 'messages[0].tool_calls[0].function.arguments';
    expect(template(`{{ ${path}.a }}`).render(request(messages))).toBe('1');
    expect(template(`{{ 'x' + ${path} }}`).render(request(messages))).toBe('x{"a": 1}');
  });

  it('picks the template for tools when there are tools', () => {
    const both = new ChatTemplate(
      new Map([
        ['default', 'plain'],
        ['tool_use', 'tools'],
      ]),
      { specialTokens: {} },
    );
    expect(both.render(request([]))).toBe('plain');
    expect(both.render(request([], { templateVariables: { tools: [{}] } }))).toBe('tools');
  });

  it('lets no variable of a request replace messages or functions', () => {
    const templateVariables = { messages: [], raise_exception: 'x', true: false, extra: 'seen' };
    const source = "{{ messages[0].content }} {{ extra }} {{ 'yes' if true }}";
    expect(template(source).render(request([user('kept')], { templateVariables }))).toBe('kept seen yes');
  });

  it('tells the date in the formats that templates ask for', () => {
    const now = () => new Date(2026, 1, 3, 14, 5, 9);
    const source = "{{ strftime_now('%d %b %Y|%Y-%m-%d|%A, %B %-d|%a %j|%I:%M:%S %p|%H%%|%Q') }}";
    expect(template(source, { now }).render(request([]))).toBe(
      '03 Feb 2026|2026-02-03|Tuesday, February 3|Tue 034|02:05:09 PM|14%|%Q',
    );
  });

  it('strips the characters that it is told to strip, as Python does', () => {
    const source =
      "[{{ messages[0].content.strip('xy') }}|{{ messages[0].content.lstrip() }}|{{ nothing | trim }}]";
    expect(template(source).render(request([user('yx a b xx')]))).toBe('[ a b |yx a b xx|]');
  });

  it('continues the last message and nothing else', () => {
    const open = template('{% for m in messages %}<{{ m.content }}>{% endfor %}');
    const messages = [user('a'), { role: 'assistant', content: 'b ' } as const];
    expect(open.render(request(messages, { continueFinalMessage: true }))).toBe('<a><b ');
    const trimming = template('{% for m in messages %}<{{ m.content | trim }}>{% endfor %}');
    expect(trimming.render(request(messages, { continueFinalMessage: true }))).toBe('<a><b');
    const dropping = template('{{ messages[0].content }}');
    const refused = expect.objectContaining({ code: 'invalid_request' });
    expect(() => dropping.render(request(messages, { continueFinalMessage: true }))).toThrow(refused);
    const toolCall: TemplateMessage[] = [{ role: 'assistant', content: null }];
    expect(() => open.render(request(toolCall, { continueFinalMessage: true }))).toThrow(refused);
  });

  it.each([
    ['endless loops', '{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}'],
    ['endless recursion', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
    ['ranges without measure', '{{ range(1000000000) | length }}'],
    [
      'texts that double without end',
      "{% set ns = namespace(x='aaaaaaaa') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    ],
  ])('stops %s with an error', (_, source) => {
    expect(() => template(source, { timeoutMs: 200 }).render(request([]))).toThrow(
      expect.objectContaining({ code: 'invalid_request' }),
    );
  });

  it('works again after it was stopped', () => {
    const slow = template(
      '{% if messages %}{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}{% else %}ok{% endif %}',
      {
        timeoutMs: 100,
      },
    );
    expect(() => slow.render(request([user('a')]))).toThrow(/too long/);
    expect(slow.render(request([]))).toBe('ok');
  });
});
