/** Schemas that are small to write and endless to read. */

import { describe, expect, it } from 'vitest';
import { formatLanguage } from '../../../../src/decoding/grammar/format-language.js';

const field = 'response_format.json_schema.schema';

function read(schema: object): string {
  try {
    formatLanguage({ kind: 'json-schema', schema, field });
    return 'read';
  } catch (error) {
    return (error as Error).message;
  }
}

/** Definitions of which each uses the next twice: 2^depth ways through them. */
function doubling(depth: number, use: (next: string) => object): object {
  const definitions: Record<string, object> = { [`d${depth}`]: { type: 'object' } };
  for (let i = 0; i < depth; i++) definitions[`d${i}`] = use(`#/$defs/d${i + 1}`);
  return { $defs: definitions, $ref: '#/$defs/d0' };
}

const asMember = (reference: string) => ({ $ref: reference, type: 'object' });

describe('a hostile schema', () => {
  it.each([
    ['anyOf', doubling(60, ($ref) => ({ anyOf: [{ $ref }, { $ref }] }))],
    [
      'plain references',
      doubling(60, ($ref) => ({ type: 'object', properties: { a: { $ref }, b: { $ref } } })),
    ],
  ])('is read in linear time where definitions are shared by %s', (_, schema) => {
    expect(read(schema)).toBe('read');
  });

  it.each([
    ['allOf', doubling(40, ($ref) => ({ allOf: [{ $ref }, { $ref }] }))],
    [
      'references with keywords beside them',
      doubling(40, (next) => ({ type: 'object', properties: { a: asMember(next), b: asMember(next) } })),
    ],
  ])('is refused where %s multiply', (_, schema) => {
    expect(read(schema)).toContain(field);
  });

  it('matches names with patterns that would keep a backtracking matcher busy', () => {
    const name = `${'a'.repeat(60)}!`;
    const patterns = { '^(a+)+$': { type: 'string' }, '^(a|a)*!$': { minLength: 1 } };
    const properties = { [name]: { type: 'string' } };
    expect(read({ type: 'object', properties, patternProperties: patterns })).toBe('read');
  });

  it('is refused for a pointer of absurd length', () => {
    expect(read({ $ref: `#/${'a/'.repeat(1000)}` })).toContain('expected ≤ 1024 characters');
  });
});
