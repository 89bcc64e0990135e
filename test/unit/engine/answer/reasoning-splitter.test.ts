import { describe, expect, it } from 'vitest';
import { ReasoningSplitter } from '../../../../src/engine/answer/reasoning-splitter.js';

function split(isOpen: boolean, pieces: readonly string[]) {
  const splitter = new ReasoningSplitter(isOpen);
  const parts = [...pieces.map((piece) => splitter.push(piece)), splitter.finish()];
  return {
    reasoning: parts.map(({ reasoning }) => reasoning).join(''),
    text: parts.map(({ text }) => text).join(''),
  };
}

const cases: ReadonlyArray<readonly [string, boolean, string, { reasoning: string; text: string }]> = [
  ['no thoughts', false, ' Hello <think>', { reasoning: '', text: ' Hello <think>' }],
  [
    'thoughts first',
    false,
    '<think>\nHm, a < b.\n\nSo.\n</think>\n\nYes.',
    { reasoning: 'Hm, a < b.\n\nSo.', text: 'Yes.' },
  ],
  ['empty thoughts', false, '<think>\n\n</think>\n\nYes.', { reasoning: '', text: 'Yes.' }],
  ['thoughts that the prompt began', true, 'So.\n</think>Yes.\n', { reasoning: 'So.', text: 'Yes.\n' }],
  ['thoughts without an end', false, '<think>So', { reasoning: 'So', text: '' }],
  ['an end without thoughts', false, 'a</think>b', { reasoning: '', text: 'a</think>b' }],
  ['half a tag', false, '<thi', { reasoning: '', text: '<thi' }],
];

describe('thoughts in a text', () => {
  it.each(cases)('are told from the answer, however the text is cut: %s', (_, isOpen, text, expected) => {
    for (const size of [1, 3, 7, 1000]) {
      const count = Math.ceil(text.length / size);
      const pieces = Array.from({ length: count }, (__, k) => text.slice(k * size, (k + 1) * size));
      expect(split(isOpen, pieces)).toEqual(expected);
    }
  });
});
