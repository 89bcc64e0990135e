/** Schemas as clients send them, with values that are valid and must be writable. */

interface SchemaCase {
  readonly schema: object;
  readonly values: readonly unknown[];
}

const object = (properties: object, others: object = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...others,
});

const person = object({
  name: { type: 'string' },
  age: { type: 'integer' },
  tags: { type: 'array', items: { type: 'string' } },
});

const tree = {
  $ref: '#/$defs/node',
  $defs: {
    node: object({
      value: { type: 'integer' },
      left: { anyOf: [{ $ref: '#/$defs/node' }, { type: 'null' }] },
      children: { type: 'array', items: { $ref: '#/$defs/node' }, maxItems: 2 },
    }),
  },
};

const circle = object({ kind: { const: 'circle' }, radius: { type: 'number' } });
const square = object({ kind: { const: 'square' }, side: { type: 'number' } });

const zodEmail =
  "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$";

export const validSchemas: Readonly<Record<string, SchemaCase>> = {
  person: {
    schema: person,
    values: [
      { name: 'Zoë "Z"\n', age: -3, tags: [] },
      { name: '', age: 0, tags: ['a', '😀'] },
    ],
  },
  anything: { schema: {}, values: [1, 'a', null, [1, { a: [] }], { x: { y: -1.5e3 } }] },
  'any object': { schema: { type: 'object' }, values: [{}, { a: 1, b: [true] }] },
  'a choice of words': {
    schema: { type: 'string', enum: ['red', 'green', 'greenish', 'bl"ue'] },
    values: ['red', 'greenish', 'bl"ue'],
  },
  'values of all types': {
    schema: { enum: [1, 'a', null, true, { a: [1] }, [2]] },
    values: [1, 'a', null, { a: [1] }],
  },
  'several types': { schema: { type: ['string', 'null', 'integer'] }, values: ['x', null, 4] },
  'optional members': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'string' }, c: { type: 'boolean' } },
      required: ['b'],
    },
    values: [{ b: '' }, { a: 1, b: 'x' }, { b: 'x', c: true }, { a: 1, b: 'x', c: false }],
  },
  'only optional members': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'string' } },
      additionalProperties: false,
    },
    values: [{}, { a: 1 }, { b: 'x' }, { a: 1, b: '' }],
  },
  'a map': {
    schema: { type: 'object', additionalProperties: { type: 'integer' }, maxProperties: 3 },
    values: [{}, { x: 1, y: 2 }],
  },
  'members and more': {
    schema: {
      type: 'object',
      properties: { id: { type: 'integer' } },
      required: ['id'],
      additionalProperties: { type: 'string' },
    },
    values: [{ id: 1 }, { id: 1, name: 'x', idx: 'y' }],
  },
  'required, not described': {
    schema: { type: 'object', required: ['a'], properties: { b: { type: 'null' } } },
    values: [{ b: null, a: [1] }],
  },
  'names by pattern': {
    schema: {
      type: 'object',
      patternProperties: { '^x_': { type: 'integer' }, _y$: { type: 'integer' } },
      additionalProperties: false,
    },
    values: [{}, { x_1: 2 }, { a_y: 1 }],
  },
  'limited names': {
    schema: {
      type: 'object',
      propertyNames: { pattern: '^[a-c]{1,3}$' },
      additionalProperties: { type: 'boolean' },
    },
    values: [{ abc: true }],
  },
  'a tuple': {
    schema: {
      type: 'array',
      prefixItems: [{ type: 'integer' }, { type: 'string' }],
      items: false,
      minItems: 1,
    },
    values: [[1], [1, 'a']],
  },
  'a tuple and more': {
    schema: {
      type: 'array',
      prefixItems: [{ type: 'integer' }],
      items: { type: 'null' },
      minItems: 2,
      maxItems: 4,
    },
    values: [
      [1, null],
      [1, null, null, null],
    ],
  },
  'a bounded array': {
    schema: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 9 }, minItems: 2, maxItems: 5 },
    values: [
      [1, 2],
      [9, 8, 7, 6, 5],
    ],
  },
  'bounds of integers': {
    schema: { type: 'integer', minimum: -250, maximum: 1024 },
    values: [-250, -99, 0, 7, 1000, 1024],
  },
  'bounds of numbers': {
    schema: { type: 'number', minimum: -3.25, exclusiveMaximum: 12.5 },
    values: [-3.25, -1, 0, 0.125, 12.4999, 12],
  },
  'a small interval': {
    schema: { type: 'number', exclusiveMinimum: 0.25, maximum: 0.75 },
    values: [0.251, 0.5, 0.75],
  },
  'negative numbers': { schema: { type: 'number', maximum: -0.5 }, values: [-0.5, -17.25] },
  'lengths of strings': {
    schema: { type: 'string', minLength: 3, maxLength: 5 },
    values: ['abc', 'ä"\\\n😀'],
  },
  'a pattern': { schema: { type: 'string', pattern: '^[A-Z]{2}-\\d{3,4}$' }, values: ['AB-123', 'ZZ-0000'] },
  'a loose pattern': { schema: { type: 'string', pattern: 'cat|dog' }, values: ['cat', 'a dog!'] },
  'pattern and lengths': {
    schema: { type: 'string', pattern: '^(ab|c)+$', minLength: 4, maxLength: 6 },
    values: ['abab', 'cccccc'],
  },
  'an email of zod': {
    schema: { type: 'string', format: 'email', pattern: zodEmail },
    values: ['ada.l@example.org'],
  },
  'an email of zod by pattern': {
    schema: { type: 'string', pattern: zodEmail },
    values: ['a+b@x.example.org'],
  },
  formats: {
    schema: object({
      a: { type: 'string', format: 'date-time' },
      b: { type: 'string', format: 'date' },
      c: { type: 'string', format: 'uuid' },
      d: { type: 'string', format: 'ipv4' },
      e: { type: 'string', format: 'time' },
    }),
    values: [
      {
        a: '2026-11-24T14:00:00Z',
        b: '2024-02-28',
        c: '123e4567-e89b-12d3-a456-426614174000',
        d: '127.0.0.1',
        e: '23:59:59Z',
      },
    ],
  },
  'a tree': {
    schema: tree,
    values: [
      { value: 1, left: null, children: [] },
      {
        value: 1,
        left: { value: 2, left: null, children: [] },
        children: [{ value: 3, left: null, children: [] }],
      },
    ],
  },
  'a list of itself': {
    schema: {
      type: 'object',
      properties: { next: { $ref: '#' }, id: { type: 'integer' } },
      required: ['id'],
      additionalProperties: false,
    },
    values: [{ id: 1 }, { next: { next: { id: 1 }, id: 2 }, id: 3 }],
  },
  anyOf: {
    schema: { anyOf: [circle, square, { type: 'null' }] },
    values: [{ kind: 'circle', radius: 1 }, { kind: 'square', side: 2.5 }, null],
  },
  'oneOf with a tag': { schema: { oneOf: [circle, square] }, values: [{ kind: 'square', side: 2.5 }] },
  'oneOf of types': {
    schema: { oneOf: [{ type: 'string' }, { type: 'integer' }, { type: 'null' }] },
    values: ['a', 1, null],
  },
  'anyOf beside keywords': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' } },
      required: ['a'],
      anyOf: [
        { properties: { b: { type: 'null' } }, required: ['b'] },
        { properties: { c: { type: 'null' } } },
      ],
    },
    values: [{ b: null, a: 1 }, { c: null, a: 1 }, { a: 1 }],
  },
  allOf: {
    schema: {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { b: { type: 'string' } }, required: ['b'] },
      ],
    },
    values: [{ a: 1, b: '' }],
  },
  'allOf of a reference': {
    schema: {
      type: 'object',
      properties: { p: { allOf: [{ $ref: '#/definitions/p' }], description: 'a person' } },
      required: ['p'],
      definitions: { p: person },
    },
    values: [{ p: { name: 'a', age: 1, tags: [] } }],
  },
  'a reference with more': {
    schema: {
      type: 'array',
      items: { $ref: '#/$defs/n', maximum: 5 },
      $defs: { n: { type: 'integer', minimum: 2 } },
    },
    values: [[2, 5]],
  },
  'sixty levels': {
    schema: Array.from({ length: 20 }).reduce<object>((inner) => object({ a: inner }), { type: 'boolean' }),
    values: [],
  },
};
