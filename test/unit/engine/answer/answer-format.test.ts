import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { detectAnswerFormat } from '../../../../src/engine/answer/answer-format.js';
import { ChatTemplate } from '../../../../src/engine/tokenizer/chat-template.js';
import { ByteTokenizer } from '../../../helpers/byte-tokenizer.js';

const templateOf = (name: string) =>
  readFileSync(
    fileURLToPath(new URL(`../../../fixtures/chat-templates/${name}.jinja`, import.meta.url)),
    'utf8',
  );

class Templated extends ByteTokenizer {
  constructor(override readonly chatTemplateSource: string) {
    super();
  }
}

const detect = (source: string) => detectAnswerFormat(new Templated(source));

describe('the format of answers', () => {
  it.each([
    ['chatml-tools', 'hermes'],
    ['mistral', 'mistral'],
    ['chatml', undefined],
    ['llama-3', undefined],
    ['gemma', undefined],
  ])('is found in the chat template %s', (name, format) => {
    const found = detect(templateOf(name));
    expect(found.tools?.name).toBe(format);
    expect(found.takesTools).toBe(format !== undefined);
  });

  it('is that of Llama 3 where the template writes its headers and parameters', () => {
    expect(detect(templateOf('llama-3-tools')).tools?.name).toBe('llama3');
  });

  it('is not known where the template has tools, but writes calls in another way', () => {
    expect(detect('{% if tools %}{{ tools }}{% endif %}<function=')).toMatchObject({
      tools: undefined,
      takesTools: true,
    });
    expect(detect('{{ tools }}<tool_call>\n<function=f>')).toMatchObject({ tools: undefined });
    expect(detect('{{ tools }}[TOOL_CALLS]name[ARGS]')).toMatchObject({ tools: undefined, takesTools: true });
  });

  it('has thoughts where the template has', () => {
    expect(detect("{{ '<think>' }}{{ '</think>' }}").reasons).toBe(true);
    expect(detect(templateOf('chatml')).reasons).toBe(false);
  });

  it.each(['chatml-tools', 'llama-3-tools', 'mistral'])('tells the template %s of the tools', (name) => {
    const template = new ChatTemplate(new Map([['default', templateOf(name)]]), {
      specialTokens: { bos_token: '<s>', eos_token: '</s>' },
    });
    const tool = {
      type: 'function',
      function: { name: 'weather', description: 'x', parameters: { type: 'object' } },
    };
    const request = { addGenerationPrompt: true, continueFinalMessage: false };
    const messages = [{ role: 'user', content: 'hi' }] as const;
    const rendered = template.render({ ...request, messages, templateVariables: { tools: [tool] } });
    expect(rendered).toContain('"weather"');
    expect(template.render({ ...request, messages })).not.toContain('weather');
  });
});
