import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { TrimtabError } from '../../../src/core/errors.js';
import { formatPath, parse, showValue } from '../../../src/server/openai/parse.js';

function complaint(schema: z.ZodType, input: unknown): string {
  try {
    parse(schema, input);
  } catch (error) {
    if (error instanceof TrimtabError) return error.message;
  }
  throw new Error('nothing was wrong');
}

describe('parse', () => {
  it.each([
    [z.object({ a: z.number() }), { a: 'x' }, 'a: expected number, received "x"'],
    [z.object({ a: z.number() }), {}, 'a: expected number, received nothing'],
    [z.object({ a: z.int() }), { a: 1.5 }, 'a: expected integer, received 1.5'],
    [z.object({ a: z.number().max(2) }), { a: 3 }, 'a: expected ≤ 2, received 3'],
    [z.object({ a: z.number().gt(2) }), { a: 2 }, 'a: expected > 2, received 2'],
    [z.object({ a: z.string().min(1) }), { a: '' }, 'a: expected ≥ 1 characters, received ""'],
    [z.array(z.string()).max(1), ['a', 'b'], 'body: expected ≤ 1 items, received an array of 2'],
    [z.object({ a: z.enum(['x', 'y']) }), { a: 1 }, 'a: expected one of "x", "y", received 1'],
    [z.object({ a: z.literal('x') }), { a: null }, 'a: expected "x", received null'],
    [z.strictObject({}), { warp: 1 }, 'body: unknown key "warp"'],
    [
      z.object({ a: z.union([z.string(), z.array(z.string())]) }),
      { a: 5 },
      'a: expected string or array, received 5',
    ],
    [
      z.object({ a: z.union([z.string(), z.array(z.string())]) }),
      { a: ['x', 5] },
      'a[1]: expected string, received 5',
    ],
    [
      z.object({ a: z.union([z.string(), z.array(z.string()).max(1)]) }),
      { a: ['x', 'y'] },
      'a: expected ≤ 1 items, received an array of 2',
    ],
    [z.record(z.string().regex(/^\d$/), z.number()), { x: 1 }, 'x: "x" is not a valid key'],
    [z.number(), Infinity, 'body: expected number, received Infinity'],
  ])('says what was expected where (%#)', (schema, input, message) => {
    expect(complaint(schema, input)).toBe(message);
  });

  it('writes paths as one would in code', () => {
    expect(formatPath(['messages', 0, 'content', 2, 'text'])).toBe('messages[0].content[2].text');
  });

  it('shortens what a client sent', () => {
    expect(showValue('x'.repeat(1000))).toHaveLength(43);
    expect(showValue({ secret: 1 })).toBe('an object');
  });
});
