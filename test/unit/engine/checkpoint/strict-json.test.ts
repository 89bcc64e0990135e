import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '../../../../src/engine/checkpoint/strict-json.js';

describe('parseStrictJson', () => {
  test('agrees with JSON.parse on every document without duplicate keys', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 2), (compact, indent) => {
        const text = JSON.stringify(JSON.parse(compact), null, indent);
        expect(parseStrictJson(text, 16)).toEqual(JSON.parse(text));
      }),
    );
  });

  test.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '[{"x":{"k":[],"k" : 3}}]',
    '{"a\\"":1,"a\\"":2}',
    '{"__proto__":1,"__proto__":2}',
  ])('refuses the duplicate key in %s', (text) => {
    expect(() => parseStrictJson(text, 16)).toThrow(/appears twice/);
  });

  test('takes the same key in two objects, and a key that is also a value', () => {
    const text = '{"a":{"b":"a"},"c":{"b":["a","a"]}}';
    expect(parseStrictJson(text, 16)).toEqual({ a: { b: 'a' }, c: { b: ['a', 'a'] } });
  });

  test('refuses what is nested too deep, before it parses', () => {
    expect(() => parseStrictJson('['.repeat(1_000_000), 16)).toThrow(/deeper than 16/);
    expect(parseStrictJson('"[[[["', 0)).toBe('[[[[');
  });
});
