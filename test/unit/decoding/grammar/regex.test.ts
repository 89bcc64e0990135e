import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonCharacters, plainCharacters } from '../../../../src/decoding/grammar/characters.js';
import { ExpressionPool } from '../../../../src/decoding/grammar/expressions.js';
import { RegexError } from '../../../../src/decoding/grammar/regex/syntax.js';
import { regexLanguage, wholeRegexLanguage } from '../../../../src/decoding/grammar/regex/to-expression.js';
import { matches, randomText } from '../../../helpers/grammar-texts.js';
import { seededRandom } from '../../../helpers/seeded.js';

const patterns = [
  '^a*b+c?$',
  'ab|cd',
  '^(?:ab|a)(?:bc|c)$',
  '^[^a-c]{2,3}$',
  '^\\d+(\\.\\d+)?$',
  '^\\w\\W\\s\\S$',
  '^.{3}$',
  '^[\\u00e0-\\u00ff\\u4e00-\\u4e10x]+$',
  '^(a|b)*a(a|b){3}$',
  '^(?=.*\\d)(?!.*ab)[a-d1-3]{2,5}$',
  '^x{0,2}$|^y$',
  '^(a+)+$',
  '[\\]\\-"\\\\]',
  '^(?<year>[12]\\d)-a*?$',
];

describe('the language of a regular expression', () => {
  it.each(patterns)('is what the engine of the platform finds: %s', (pattern) => {
    const pool = new ExpressionPool();
    const language = regexLanguage(pool, pattern, plainCharacters);
    const reference = new RegExp(pattern, 'u');
    const characters = [...'abcdxy123-."\\ \n_é中😀', ''];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...characters), { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        expect(matches(pool, language, text), text).toBe(reference.test(text));
      }),
      { seed: 5, numRuns: 300 },
    );
    const random = seededRandom(3);
    for (let k = 0; k < 30; k++) expect(randomText(pool, language, random, 12)).toMatch(reference);
  });

  it('spells characters inside JSON strings as JSON.stringify does', () => {
    const pool = new ExpressionPool();
    const language = regexLanguage(pool, '^["\\\\\\n\\x01é]+$', jsonCharacters);
    const random = seededRandom(8);
    for (let k = 0; k < 30; k++) {
      const text = `"${randomText(pool, language, random, 20)}"`;
      expect(JSON.stringify(JSON.parse(text))).toBe(text);
    }
  });

  it('may be asked to match the whole text', () => {
    const pool = new ExpressionPool();
    const language = wholeRegexLanguage(pool, 'a|^b+', plainCharacters);
    for (const text of ['a', 'b', 'bb']) expect(matches(pool, language, text)).toBe(true);
    for (const text of ['', 'ab', 'xa']) expect(matches(pool, language, text)).toBe(false);
  });

  it.each([
    '(',
    'a{2,1}',
    '(a)\\1',
    '\\bfoo',
    '(?<=a)b',
    '\\p{L}',
    'a(^b)',
    `${'('.repeat(200)}${')'.repeat(200)}`,
  ])('refuses %s', (pattern) => {
    expect(() => regexLanguage(new ExpressionPool(), pattern, plainCharacters)).toThrow(RegexError);
  });
});
