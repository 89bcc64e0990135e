import { describe, expect, it } from 'vitest';
import type { OutputFormat } from '../../../../src/core/messages.js';
import { formatLanguage, readFormat } from '../../../../src/decoding/grammar/format-language.js';
import { GrammarCache } from '../../../../src/decoding/grammar/grammar-cache.js';
import { GrammarConstraint } from '../../../../src/decoding/grammar/grammar-constraint.js';
import { TokenAutomaton } from '../../../../src/decoding/grammar/token-automaton.js';
import { CONTROL_BYTE, Vocabulary } from '../../../../src/decoding/grammar/vocabulary.js';
import { forcedToken, isAllowed } from '../../../../src/decoding/token-constraint.js';
import { seededRandom } from '../../../helpers/seeded.js';

const END = 0;
const CALL = Buffer.concat([Uint8Array.of(CONTROL_BYTE), Buffer.from('[CALL]')]);
/** Tokens that overlap, repeat, cut characters in halves, and stand for nothing. */
const pieces = [
  '',
  '{',
  '{"',
  '"',
  '"}',
  '":',
  ':',
  '}',
  '},',
  ',',
  'a',
  'ab',
  'abc',
  'ab',
  '1',
  '12',
  ' ',
  '\n',
  'é',
];
const tokens = [
  ...pieces.map((piece) => Buffer.from(piece)),
  CALL,
  ...[0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80].map((byte) => Buffer.of(byte)),
  Buffer.from([0xa9, 0x22]),
  ...Array.from({ length: 40 }, (_, k) => Buffer.from(`a${k}`)),
];
const source = {
  size: tokens.length + 3,
  eosTokenIds: [END],
  bytes: (id: number) => tokens[id] ?? Buffer.alloc(0),
};

function automaton(format: OutputFormat): TokenAutomaton {
  const { pool, grammar } = formatLanguage(format);
  return new TokenAutomaton(pool, new Vocabulary(source), grammar, format.field);
}

function cached(cache: GrammarCache, format: OutputFormat): TokenAutomaton {
  return cache.get(format, format.field, (pool) => readFormat(pool, format));
}

const schema = (value: unknown): OutputFormat => ({ kind: 'json-schema', schema: value, field: 'schema' });
const grammar = (text: string): OutputFormat => ({ kind: 'grammar', text, field: 'grammar' });
const strings = schema({ type: 'object', additionalProperties: { type: ['string', 'integer'] } });

describe('the tokens that a grammar allows', () => {
  it.each([
    ['objects', strings],
    ['any JSON', schema({})],
    ['a pattern', { kind: 'regex', pattern: '(a|ab)(c|bc)?é{1,2}', field: 'regex' } as const],
    ['counted strings', schema({ type: 'string', minLength: 7, maxLength: 20 })],
    ['long strings', schema({ additionalProperties: { type: 'string', minLength: 50, maxLength: 90 } })],
    [
      'counts that follow each other',
      { kind: 'regex', pattern: '(a|ab){0,40}1{3,9}', field: 'regex' } as const,
    ],
    ['nested brackets', grammar('root ::= "{" root* "}"')],
  ])('are those whose bytes fit, one by one: %s', (_, format) => {
    const automata = automaton(format);
    const random = seededRandom(4);
    for (let walk = 0; walk < 30; walk++) {
      let state = automata.start;
      for (let step = 0; step < 12; step++) {
        const allowed = automata.allowed(state);
        const fitting = Array.from(
          { length: source.size },
          (__, id) => automata.next(state, id) !== undefined,
        );
        expect(fitting.map((_fits, id) => isAllowed(allowed, id))).toEqual(fitting);
        const ids = fitting.flatMap((fits, id) => (fits && id !== END ? [id] : []));
        if (ids.length === 0) break;
        state = automata.next(state, ids[Math.floor(random() * ids.length)]!)!;
      }
    }
  });

  it('take a control token for its name only, and never for its letters', () => {
    const automata = automaton(grammar('root ::= [^x]*'));
    expect(isAllowed(automata.allowed(automata.start), tokens.indexOf(CALL))).toBe(false);
  });

  it('come back after tokens are taken back, in every fork', () => {
    const constraint = new GrammarConstraint(automaton(strings));
    const before = constraint.allowed();
    const fork = constraint.fork();
    constraint.accept(pieces.indexOf('{"'));
    constraint.accept(pieces.indexOf('ab'));
    expect(constraint.allowed()).not.toEqual(before);
    expect(fork.allowed()).toBe(before);
    constraint.rollback(2);
    expect(constraint.allowed()).toBe(before);
    expect(() => constraint.rollback(1)).toThrow('taken back');
    expect(() => constraint.accept(pieces.indexOf('}'))).toThrow('not allowed');
  });

  it('are found once for all lengths of a long string', () => {
    const constraint = new GrammarConstraint(automaton(schema({ type: 'string', maxLength: 500 })));
    constraint.accept(pieces.indexOf('"'));
    const first = constraint.allowed();
    for (let k = 0; k < 50; k++) constraint.accept(pieces.indexOf('ab'));
    expect(constraint.allowed()).toBe(first);
  });

  it('may be a single one, and the text may be over without an end token', () => {
    const constraint = new GrammarConstraint(automaton(grammar('root ::= "abc" "}"')));
    expect(forcedToken(constraint.allowed())).toBeUndefined();
    constraint.accept(pieces.indexOf('abc'));
    expect(forcedToken(constraint.allowed())).toBe(pieces.indexOf('}'));
    expect(constraint.complete).toBe(false);
    constraint.accept(pieces.indexOf('}'));
    expect(constraint.complete).toBe(true);
    expect(forcedToken(constraint.allowed())).toBe(END);
  });

  it('refuse a grammar that they cannot spell', () => {
    expect(() => cached(new GrammarCache(source), grammar('root ::= "z"'))).toThrow('cannot spell');
  });

  it('are kept for the next request with the same form', () => {
    const cache = new GrammarCache(source);
    expect(cached(cache, strings)).toBe(cached(cache, { ...strings }));
    expect(cached(cache, strings)).not.toBe(cached(cache, schema({})));
  });
});

describe('grammars that take too much memory', () => {
  it('are dropped, those that were not used for the longest time first', () => {
    const formats = [1, 2, 3].map((max) => schema({ type: 'string', maxLength: max }));
    const one = cached(new GrammarCache(source), formats[0]!).bytes;
    const cache = new GrammarCache(source, 2.5 * one);
    const [first, second] = formats.map((format) => cached(cache, format));
    expect(cached(cache, formats[1]!)).toBe(second);
    expect(cached(cache, formats[0]!)).not.toBe(first);
  });
});

describe('a hostile grammar', () => {
  const wide = Object.fromEntries(Array.from({ length: 500 }, (_, k) => [`p${k}`, { type: 'string' }]));
  it.each([
    ['nested quantifiers', { type: 'string', pattern: '^((a{1,1000}){1,1000}){1,1000}$' }],
    ['catastrophic backtracking', { type: 'string', pattern: '^(a|a)*(a|ab|b)*(a*)*$' }],
    ['a window over the past', { type: 'string', pattern: '(a|ab)*a.{60}$' }],
    ['a long string', { type: 'string', minLength: 5000, maxLength: 1_000_000 }],
    ['many members', { type: 'object', properties: wide, additionalProperties: false }],
    ['many values', { enum: Array.from({ length: 10_000 }, (_, k) => `a${k}`) }],
    [
      'ambiguous unions',
      { anyOf: Array.from({ length: 200 }, (_, k) => ({ type: 'string', maxLength: k })) },
    ],
  ])('costs a bounded amount of work or is refused: %s', (_, value) => {
    const work = () => {
      const automata = automaton(schema(value));
      let state = automata.start;
      for (const piece of ['"', ...Array(40).fill('ab')]) {
        automata.allowed(state);
        state = automata.next(state, pieces.indexOf(piece)) ?? state;
      }
    };
    try {
      work();
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_request', param: 'schema' });
    }
  });

  it.each([
    [
      'too deep',
      Array.from({ length: 60 }).reduce((inner) => ({ items: inner, type: 'array' }), {}),
      'nested deeper',
    ],
    ['too long', { enum: ['x'.repeat(300_000)] }, 'characters of JSON'],
    ['too many', { enum: Array.from({ length: 30_000 }, (_, k) => k) }, 'values in the schema'],
  ])('is refused when it is %s', (_, value, problem) => {
    expect(() => automaton(schema(value))).toThrow(problem);
  });
});
