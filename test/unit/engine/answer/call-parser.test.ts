import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CallParser } from '../../../../src/engine/answer/call-parser.js';
import { hermes } from '../../../../src/engine/answer/formats/hermes.js';
import { llama3 } from '../../../../src/engine/answer/formats/llama3.js';
import { mistral } from '../../../../src/engine/answer/formats/mistral.js';
import type { ToolFormat } from '../../../../src/engine/answer/tool-format.js';

const names = new Set(['f', 'g']);

/** Feeds the pieces and joins what comes out: content, and per call its name and arguments. */
function read(format: ToolFormat, pieces: readonly string[]) {
  const parser = new CallParser(format, names);
  const parsed = [...pieces.map((piece) => parser.push(piece)), parser.finish()];
  const calls: string[][] = [];
  for (const { index, id, name, arguments: text } of parsed.flatMap(({ toolCalls }) => toolCalls)) {
    expect(id !== undefined).toBe(calls[index] === undefined);
    calls[index] ??= [name!, ''];
    calls[index][1] += text;
  }
  return { content: parsed.map(({ text }) => text).join(''), calls };
}

const f = '{"name": "f", "arguments": {"a": "}\\"{ é", "b": [1, {"c": null}]}}';
const fArguments = '{"a": "}\\"{ é", "b": [1, {"c": null}]}';
const [fLlama, gLlama] = ['{"name": "f", "parameters": {"x": 1}}', '{"parameters": {}, "name": "g"}'];

const cases: ReadonlyArray<readonly [string, ToolFormat, string, { content: string; calls: string[][] }]> = [
  ['words', hermes, 'Hello < world <tool', { content: 'Hello < world <tool', calls: [] }],
  ['one call', hermes, `<tool_call>\n${f}\n</tool_call>`, { content: '', calls: [['f', fArguments]] }],
  [
    'words, then calls',
    hermes,
    `Hm.\n\n<tool_call>${f}</tool_call>\n<tool_call>\n{"name":"g"}\n</tool_call>\n`,
    {
      content: 'Hm.',
      calls: [
        ['f', fArguments],
        ['g', '{}'],
      ],
    },
  ],
  [
    'words after a call',
    hermes,
    `<tool_call>${f}</tool_call> Done.`,
    { content: ' Done.', calls: [['f', fArguments]] },
  ],
  [
    'an unknown tool',
    hermes,
    '<tool_call>{"name": "h", "arguments": {}}</tool_call>',
    { content: '<tool_call>{"name": "h", "arguments": {}}</tool_call>', calls: [] },
  ],
  [
    'no JSON',
    hermes,
    'a <tool_call> call f </tool_call> b',
    { content: 'a <tool_call> call f </tool_call> b', calls: [] },
  ],
  [
    'a call without a name',
    hermes,
    '<tool_call>{"arguments": {}}</tool_call>',
    { content: '<tool_call>{"arguments": {}}</tool_call>', calls: [] },
  ],
  [
    'a call cut off in its name',
    hermes,
    'a <tool_call>{"name": "f',
    { content: 'a <tool_call>{"name": "f', calls: [] },
  ],
  [
    'a call cut off in its arguments',
    hermes,
    '<tool_call>{"name": "f", "arguments": {"a": [1',
    { content: '', calls: [['f', '{"a": [1']] },
  ],
  [
    'a list',
    mistral,
    `[TOOL_CALLS] [${f}, {"name": "g", "arguments": {}}]`,
    {
      content: '',
      calls: [
        ['f', fArguments],
        ['g', '{}'],
      ],
    },
  ],
  [
    'words that look like a list',
    mistral,
    '[{"name": "f", "arguments": {}}]',
    { content: '[{"name": "f", "arguments": {}}]', calls: [] },
  ],
  ['a bare call', llama3, fLlama, { content: '', calls: [['f', '{"x": 1}']] }],
  [
    'two bare calls',
    llama3,
    `\n${fLlama}; ${gLlama}`,
    {
      content: '',
      calls: [
        ['f', '{"x": 1}'],
        ['g', '{}'],
      ],
    },
  ],
  ['a marked call', llama3, `<|python_tag|>${fLlama}`, { content: '', calls: [['f', '{"x": 1}']] }],
  ['JSON that is no call', llama3, '{"colour": "red"}', { content: '{"colour": "red"}', calls: [] }],
  ['a call after words', llama3, `Sure: ${fLlama}`, { content: `Sure: ${fLlama}`, calls: [] }],
];

describe('tool calls in a text', () => {
  it.each(cases)('are found, and nothing else is lost: %s', (_, format, text, expected) => {
    expect(read(format, [text])).toEqual(expected);
  });

  it.each(cases)('are the same however the text is cut: %s', (_, format, text, expected) => {
    expect(read(format, [...text])).toEqual(expected);
    const cut = fc.array(fc.nat(text.length), { maxLength: 6 });
    fc.assert(
      fc.property(cut, (places) => {
        const at = [0, ...places.sort((x, y) => x - y), text.length];
        const pieces = at.slice(1).map((end, k) => text.slice(at[k], end));
        expect(read(format, pieces)).toEqual(expected);
      }),
      { seed: 1, numRuns: 40 },
    );
  });

  it('come in pieces as they are written', () => {
    const parser = new CallParser(hermes, names);
    expect(parser.push('<tool_call>{"name": "f", "argum').toolCalls).toEqual([]);
    const [first] = parser.push('ents": ').toolCalls;
    expect(first).toBeUndefined();
    const begun = parser.push('{"a"').toolCalls;
    expect(begun).toMatchObject([
      { index: 0, name: 'f', arguments: '' },
      { index: 0, arguments: '{"a"' },
    ]);
    expect(parser.push(': 1}').toolCalls).toEqual([{ index: 0, arguments: ': 1}' }]);
  });

  it('lose no text, whatever comes', () => {
    const part = fc.constantFrom(
      '<tool_call>',
      '</tool_call>',
      '{',
      '}',
      '"name"',
      ':',
      '"h"',
      ',',
      ' ',
      'x',
      '[',
      '"',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
        expect(read(hermes, parts)).toEqual({ content: parts.join(''), calls: [] });
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});
