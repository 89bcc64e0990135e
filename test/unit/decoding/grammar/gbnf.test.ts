import { describe, expect, it } from 'vitest';
import { ExpressionPool } from '../../../../src/decoding/grammar/expressions.js';
import { GrammarSyntaxError, gbnfLanguage } from '../../../../src/decoding/grammar/gbnf.js';
import { matches, randomText } from '../../../helpers/grammar-texts.js';
import { seededRandom } from '../../../helpers/seeded.js';

const arithmetic = `
# a calculator
root  ::= expr "=" num "\\n"
expr  ::= term ([-+*/] term)*
term  ::= num | "(" ws expr ws ")"
        | "pi"
num   ::= [0-9]+
ws    ::= [ \\t\\n]{0,2}
`;

function accepts(grammar: string, text: string): boolean {
  const pool = new ExpressionPool();
  return matches(pool, gbnfLanguage(pool, grammar), text);
}

describe('a grammar in the notation of llama.cpp', () => {
  it('reads rules, groups, classes, quantifiers, comments and several lines', () => {
    expect(accepts(arithmetic, '1+2=3\n')).toBe(true);
    expect(accepts(arithmetic, '(1+(2*33)/ pi)=3\n')).toBe(false);
    expect(accepts(arithmetic, '( 1+(2*33)/pi\t)=3\n')).toBe(true);
    expect(accepts(arithmetic, '1+=3\n')).toBe(false);
  });

  it.each([
    ['root ::= "a"{2,3}', ['aa', 'aaa'], ['a', 'aaaa']],
    ['root ::= [^a-z\\]]', ['A', ']é'.slice(1), '中'], ['b', ']']],
    ['root ::= "\\x41\\u00e9\\"\\\\"', ['Aé"\\'], ['A']],
    ['root ::= . .?', ['é', 'ab'], ['', 'abc']],
    ['root ::= a | ""\na ::= "x" root', ['', 'x', 'xxx'], ['y']],
    ['root ::= "a" root "b" | "a" root "c" | ""', ['abac'.slice(0, 2), 'aabc', 'aaacbb'], ['a', 'abab']],
  ])('accepts and rejects by %s', (grammar, inside, outside) => {
    for (const text of inside) expect(accepts(grammar, text), text).toBe(true);
    for (const text of outside) expect(accepts(grammar, text), text).toBe(false);
  });

  it('writes texts that it accepts', () => {
    const pool = new ExpressionPool();
    const grammar = gbnfLanguage(pool, arithmetic);
    const random = seededRandom(2);
    for (let k = 0; k < 50; k++)
      expect(matches(pool, grammar, randomText(pool, grammar, random, 30))).toBe(true);
  });

  it.each([
    ['', 'root'],
    ['a ::= "x"', '"root" is not defined'],
    ['root ::= b', '"b" is not defined'],
    ['root ::= "a" |', undefined],
    ['root ::= ("a"', 'line 1: expected ")"'],
    ['root = "a"', 'line 1: expected "::="'],
    ['root ::= "a"\nroot ::= "b"', 'defined twice'],
    ['root ::= root "a" | "b"', 'begins with itself'],
    ['root ::= a\na ::= "b" root', 'never comes to an end'],
    ['root ::= a | "x"\na ::= b a\nb ::= ""', 'never comes to an end'],
    ['root ::= e root "x" | "y"\ne ::= "e"?', 'begins with itself'],
    ['root ::= "unclosed', 'expected a character'],
    [`root ::= ${'('.repeat(200)}`, 'nested'],
  ])('says what is wrong with %j', (grammar, problem) => {
    const read = () => gbnfLanguage(new ExpressionPool(), grammar);
    if (problem === undefined) expect(read).not.toThrow();
    else {
      expect(read).toThrow(GrammarSyntaxError);
      expect(read).toThrow(problem);
    }
  });
});
