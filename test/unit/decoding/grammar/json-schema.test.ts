import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { TrimtabError } from '../../../../src/core/errors.js';
import { ExpressionPool } from '../../../../src/decoding/grammar/expressions.js';
import { JsonText } from '../../../../src/decoding/grammar/json/json-text.js';
import { schemaLanguage } from '../../../../src/decoding/grammar/json-schema/compile-schema.js';
import { matches, randomText } from '../../../helpers/grammar-texts.js';
import { validSchemas } from '../../../helpers/json-schemas.js';
import { seededRandom } from '../../../helpers/seeded.js';

const TEXTS = 60;

function compile(schema: unknown) {
  const pool = new ExpressionPool();
  return { pool, grammar: schemaLanguage(new JsonText(pool), schema, 'schema') };
}

function accepts(schema: unknown, text: string): boolean {
  const { pool, grammar } = compile(schema);
  return matches(pool, grammar, text);
}

function refusal(schema: unknown): { code: string; param: string | undefined } {
  try {
    compile(schema);
  } catch (error) {
    if (error instanceof TrimtabError) return { code: error.code, param: error.param };
    throw error;
  }
  throw new Error('the schema was accepted');
}

describe('the language of a JSON schema', () => {
  const ajv = new Ajv2020({ strict: false, logger: false });

  it.each(Object.entries(validSchemas))('writes only texts that validate: %s', (name, { schema, values }) => {
    const { pool, grammar } = compile(schema);
    const validate = ajv.compile(schema);
    const random = seededRandom(name.length);
    for (let k = 0; k < TEXTS; k++) {
      const text = randomText(pool, grammar, random);
      const isValid = validate(JSON.parse(text));
      expect(isValid, `${text}: ${ajv.errorsText(validate.errors)}`).toBe(true);
    }
    for (const value of values) {
      expect(validate(value), JSON.stringify(value)).toBe(true);
      expect(matches(pool, grammar, JSON.stringify(value)), JSON.stringify(value)).toBe(true);
    }
  });

  it.each([
    [{ type: 'integer', minimum: 3, maximum: 12 }, ['3', '12', '9'], ['2', '13', '03', '3.5', '-3', '120']],
    [
      { type: 'integer', exclusiveMinimum: -5, maximum: 105 },
      ['-4', '0', '105', '99'],
      ['-5', '106', '-0', '-10'],
    ],
    [
      { type: 'number', minimum: -1.5, exclusiveMaximum: 2.25 },
      ['-1.5', '0', '2.249', '2', '-0.1'],
      ['2.25', '-1.51', '2.3', '-2'],
    ],
    [{ type: 'number', exclusiveMinimum: 0 }, ['0.1', '5', '123.25'], ['0', '0.0', '-1']],
    [{ type: 'string', pattern: 'b+$' }, ['"ab"', '"bbb"'], ['"ba"', '"x"']],
    [{ type: 'string', pattern: '^a|b$' }, ['"ax"', '"xb"', '"a"'], ['"xa"']],
    [{ type: 'string', pattern: '^["\\\\\\n]$' }, ['"\\""', '"\\\\"', '"\\n"'], ['"n"']],
    [
      { type: 'string', minLength: 2, maxLength: 3 },
      ['"äö"', '"a\\nb"', '"\\ud83d\\ude00x"', '"😀😀😀"'],
      ['"a"', '"abcd"', '"\\ud83d\\ude00"'],
    ],
    [
      { type: 'array', items: { type: 'null' }, minItems: 1, maxItems: 2 },
      ['[null]', '[null, null]'],
      ['[]', '[null,null,null]'],
    ],
  ])('knows the borders of %j', (schema, inside, outside) => {
    for (const text of inside) expect(accepts(schema, text), text).toBe(true);
    for (const text of outside) expect(accepts(schema, text), text).toBe(false);
  });

  it('keeps further members apart from the listed ones, however they are spelled', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'integer' } },
      additionalProperties: { type: 'string' },
    };
    expect(accepts(schema, '{"a":1,"b":"x"}')).toBe(true);
    expect(accepts(schema, '{"ab":"x"}')).toBe(true);
    expect(accepts(schema, '{"a":"x"}')).toBe(false);
    expect(accepts(schema, '{"\\u0061":"x"}')).toBe(false);
  });

  it.each([
    ['schema', 5, 'invalid_request'],
    ['schema.type', { type: 'text' }, 'invalid_request'],
    ['schema.properties.a.type', { properties: { a: { type: 7 } } }, 'invalid_request'],
    ['schema.properties', { type: 'object', properties: [] }, 'invalid_request'],
    ['schema.required', { type: 'object', required: 'a' }, 'invalid_request'],
    ['schema.items.minimum', { type: 'array', items: { type: 'integer', minimum: '3' } }, 'invalid_request'],
    ['schema.anyOf', { anyOf: [] }, 'invalid_request'],
    ['schema.enum', { enum: [] }, 'invalid_request'],
    ['schema.pattern', { type: 'string', pattern: '((' }, 'invalid_request'],
    ['schema.pattern', { type: 'string', pattern: '(a)\\1' }, 'invalid_request'],
    ['schema', { type: 'string', pattern: '^a{3}$', maxLength: 2 }, 'invalid_request'],
    ['schema.minLength', { type: 'string', minLength: 5, maxLength: 2 }, 'invalid_request'],
    ['schema.$ref', { $ref: '#/$defs/missing' }, 'invalid_request'],
    ['schema.$ref', { $ref: '#' }, 'invalid_request'],
    ['schema.$ref', { $ref: 'https://example.com/schema' }, 'unsupported_parameter'],
    ['schema.not', { not: { type: 'string' } }, 'unsupported_parameter'],
    ['schema.if', { type: 'object', if: {} }, 'unsupported_parameter'],
    ['schema.multipleOf', { type: 'number', multipleOf: 0.1 }, 'unsupported_parameter'],
    ['schema.uniqueItems', { type: 'array', uniqueItems: true }, 'unsupported_parameter'],
    ['schema.format', { type: 'string', format: 'regex' }, 'unsupported_parameter'],
    ['schema.oneOf', { oneOf: [{ type: 'number' }, { type: 'integer' }] }, 'unsupported_parameter'],
    ['schema.minimum', { type: 'integer', minimum: 3, maximum: 2 }, 'invalid_request'],
  ])('refuses and names %s of %j', (param, schema, code) => {
    const refused = refusal(schema);
    expect(refused.code).toBe(code);
    expect(refused.param).toBe(param === 'schema.minimum' ? 'schema' : param);
  });

  it('refuses a value that could never end', () => {
    const endless = { type: 'object', properties: { next: { $ref: '#' } }, required: ['next'] };
    expect(refusal(endless).param).toBe('schema.properties.next.$ref');
    expect(refusal({ anyOf: [{ $ref: '#' }, { type: 'null' }] }).param).toBe('schema.anyOf[0].$ref');
  });
});
