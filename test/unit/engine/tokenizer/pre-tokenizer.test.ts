import { describe, expect, it } from 'vitest';
import { makePreTokenizer } from '../../../../src/engine/tokenizer/pre-tokenizer.js';

const cut = (stage: { type: string; [key: string]: unknown }, text: string, atStart = true) =>
  makePreTokenizer(stage)([text], atStart);
const split = (behavior: string, invert = false) => ({
  type: 'Split',
  pattern: { String: '-' },
  behavior,
  invert,
});

describe('Split', () => {
  const text = 'the-final--countdown';
  // The documented example of the reference for each behaviour.
  it.each([
    ['Removed', ['the', 'final', 'countdown']],
    ['Isolated', ['the', '-', 'final', '-', '-', 'countdown']],
    ['MergedWithPrevious', ['the-', 'final-', '-', 'countdown']],
    ['MergedWithNext', ['the', '-final', '-', '-countdown']],
    ['Contiguous', ['the', '-', 'final', '--', 'countdown']],
  ])('%s cuts as the reference documents', (behavior, pieces) => {
    expect(cut(split(behavior), text)).toEqual(pieces);
  });

  it('inverted removes what does not match', () => {
    expect(cut(split('Removed', true), text)).toEqual(['-', '-', '-']);
  });
});

describe('Digits', () => {
  it('are those of Unicode, numerals and fractions among them', () => {
    expect(cut({ type: 'Digits', individual_digits: true }, 'a12٣½b')).toEqual([
      'a',
      '1',
      '2',
      '٣',
      '½',
      'b',
    ]);
    expect(cut({ type: 'Digits' }, 'a12٣½b')).toEqual(['a', '12٣½', 'b']);
  });
});

describe('Metaspace', () => {
  it('marks the start of the text only, with prepend_scheme first', () => {
    const stage = { type: 'Metaspace', prepend_scheme: 'first', split: false };
    expect(cut(stage, 'a b')).toEqual(['▁a▁b']);
    expect(cut(stage, 'a b', false)).toEqual(['a▁b']);
  });

  it('splits before every mark when told to', () => {
    expect(cut({ type: 'Metaspace', split: true }, 'a  b')).toEqual(['▁a', '▁', '▁b']);
  });
});

describe('ByteLevel', () => {
  it('takes U+0085 for white space and U+FEFF for a character, unlike JavaScript', () => {
    expect(cut({ type: 'ByteLevel', add_prefix_space: false }, 'a\u0085\ufeff')).toEqual(['a', 'Âħ', 'ï»¿']);
  });

  it('puts one space in front when told to', () => {
    const stage = { type: 'ByteLevel', add_prefix_space: true };
    expect([cut(stage, 'a'), cut(stage, ' a')]).toEqual([['Ġa'], ['Ġa']]);
  });
});
