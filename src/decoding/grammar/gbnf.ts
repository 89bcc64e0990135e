/**
 * Grammars in the notation of llama.cpp: rules `name ::= …` over strings, character classes, groups, `|` and
 * the quantifiers `* + ? {n,m}`; the text is what `root` gives.
 */

import { plainCharacters } from './characters.js';
import type { Expression, ExpressionPool } from './expressions.js';
import { complement, type Range } from './ranges.js';

/** The message says where and what was expected. */
export class GrammarSyntaxError extends Error {}

const MAX_CHARACTERS = 64 * 1024;
const MAX_DEPTH = 100;
const MAX_REPEAT = 100_000;

/** Throws `GrammarSyntaxError`. */
export function gbnfLanguage(pool: ExpressionPool, text: string): Expression {
  if (text.length > MAX_CHARACTERS) {
    throw new GrammarSyntaxError(`expected ≤ ${MAX_CHARACTERS} characters, received ${text.length}`);
  }
  return new GbnfParser(pool, text).parse();
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
const NAME = /[a-zA-Z][a-zA-Z0-9_-]*/y;
const SPACE = /(?:[ \t]|#[^\n]*)*/y;
const SPACE_AND_LINES = /(?:\s|#[^\n]*)*/y;

class GbnfParser {
  readonly #bodies = new Map<string, Expression>();
  readonly #rules = new Map<string, Expression>();
  #at = 0;
  #depth = 0;

  constructor(
    private readonly pool: ExpressionPool,
    private readonly text: string,
  ) {}

  parse(): Expression {
    this.#match(SPACE_AND_LINES);
    while (this.#at < this.text.length) this.#definition();
    const missing = ['root', ...this.#rules.keys()].find((name) => !this.#bodies.has(name));
    if (missing !== undefined) throw new GrammarSyntaxError(`the rule "${missing}" is not defined`);
    requireSound(this.#bodies);
    return this.#rule('root');
  }

  #definition(): void {
    const name = this.#name();
    this.#match(SPACE);
    if (!this.#take('::=')) throw this.#expected('"::="');
    if (this.#bodies.has(name)) throw new GrammarSyntaxError(`the rule "${name}" is defined twice`);
    this.#match(SPACE_AND_LINES);
    this.#bodies.set(name, this.#alternatives());
    if (this.#at < this.text.length && !/[\r\n]/.test(this.text[this.#at - 1]!))
      throw this.#expected('a new line');
  }

  #alternatives(): Expression {
    if (++this.#depth > MAX_DEPTH) throw this.#expected(`groups nested at most ${MAX_DEPTH} deep`);
    const options = [this.#sequence()];
    while (this.#take('|')) {
      this.#match(SPACE_AND_LINES);
      options.push(this.#sequence());
    }
    this.#depth--;
    return this.pool.choice(...options);
  }

  #sequence(): Expression {
    const items: Expression[] = [];
    for (let atom = this.#atom(); atom !== undefined; atom = this.#atom()) {
      items.push(this.#quantified(atom));
      this.#match(this.#depth > 1 ? SPACE_AND_LINES : SPACE);
      if (this.#depth === 1 && this.#endOfDefinition()) break;
    }
    return this.pool.concat(...items);
  }

  /** A line that begins with `|` goes on with the definition. */
  #endOfDefinition(): boolean {
    const next = this.text[this.#at];
    if (next !== '\n' && next !== '\r') return next === undefined;
    this.#match(SPACE_AND_LINES);
    return this.text[this.#at] !== '|';
  }

  #atom(): Expression | undefined {
    const next = this.text[this.#at];
    if (next === '"') return this.pool.literal(this.#string());
    if (next === '[') return plainCharacters(this.pool, this.#class());
    if (this.#take('.')) return plainCharacters(this.pool, complement([]));
    if (this.#take('(')) {
      this.#match(SPACE_AND_LINES);
      const group = this.#alternatives();
      if (!this.#take(')')) throw this.#expected('")"');
      return group;
    }
    return next !== undefined && /[a-zA-Z]/.test(next) ? this.#rule(this.#name()) : undefined;
  }

  #quantified(atom: Expression): Expression {
    if (this.#take('*')) return this.pool.repeat(atom);
    if (this.#take('+')) return this.pool.repeat(atom, 1);
    if (this.#take('?')) return this.pool.optional(atom);
    const braces = this.#match(/\{(\d{1,6})(,?)(\d{0,6})\}/y);
    if (braces === undefined) return atom;
    const [min, comma, max] = [Number(braces[1]), braces[2], braces[3]];
    if (min > MAX_REPEAT || Number(max) > MAX_REPEAT)
      throw this.#expected(`at most ${MAX_REPEAT} repetitions`);
    if (comma === '') return this.pool.repeat(atom, min, min);
    return this.pool.repeat(atom, min, max === '' ? Number.POSITIVE_INFINITY : Number(max));
  }

  #rule(name: string): Expression {
    const known = this.#rules.get(name);
    if (known !== undefined) return known;
    const rule = this.pool.rule(name, () => this.#bodies.get(name)!);
    this.#rules.set(name, rule);
    return rule;
  }

  #string(): string {
    let value = '';
    for (this.#at++; !this.#take('"'); ) value += this.#character();
    return value;
  }

  #class(): readonly Range[] {
    this.#at++;
    const negative = this.#take('^');
    const ranges: Range[] = [];
    while (!this.#take(']')) {
      const low = this.#character().codePointAt(0)!;
      const isRange = this.text[this.#at] === '-' && this.text[this.#at + 1] !== ']';
      if (isRange) this.#at++;
      ranges.push([low, isRange ? this.#character().codePointAt(0)! : low]);
    }
    return negative ? complement(ranges) : ranges;
  }

  #character(): string {
    const plain = this.#match(/[^\\\n]/uy);
    if (plain !== undefined) return plain[0];
    const code = this.#match(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y);
    if (code !== undefined) return String.fromCodePoint(Number.parseInt(code[1] ?? code[2] ?? code[3]!, 16));
    const escaped = this.#match(/\\(.)/uy);
    if (escaped === undefined) throw this.#expected('a character');
    return escapes[escaped[1]!] ?? escaped[1]!;
  }

  #name(): string {
    const name = this.#match(NAME);
    if (name === undefined) throw this.#expected('the name of a rule');
    return name[0];
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.text) ?? undefined;
    if (match !== undefined) this.#at += match[0].length;
    return match;
  }

  #take(token: string): boolean {
    if (!this.text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #expected(what: string): GrammarSyntaxError {
    const line = this.text.slice(0, this.#at).split('\n').length;
    return new GrammarSyntaxError(`line ${line}: expected ${what}`);
  }
}

/** Every rule must be able to end, and none may begin with itself. */
function requireSound(bodies: ReadonlyMap<string, Expression>): void {
  const ending = rulesThat(bodies, canEnd);
  const empty = rulesThat(bodies, mayBeEmpty);
  for (const [name, body] of bodies) {
    if (!ending.has(name)) throw new GrammarSyntaxError(`the rule "${name}" never comes to an end`);
    if (beginnings(body, empty).has(name))
      throw new GrammarSyntaxError(`the rule "${name}" begins with itself`);
  }
}

type Holds = (expression: Expression, rules: ReadonlySet<string>) => boolean;

/** The least set of rules for which `holds`, given that it holds for those already in the set. */
function rulesThat(bodies: ReadonlyMap<string, Expression>, holds: Holds): ReadonlySet<string> {
  const found = new Set<string>();
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const [name, body] of bodies) if (holds(body, found)) found.add(name);
  }
  return found;
}

/** What of an expression follows from its parts; `leaf` judges those that have none. */
function fromParts(leaf: (kind: Expression['kind']) => boolean): Holds {
  const holds: Holds = (expression, rules) => {
    switch (expression.kind) {
      case 'rule':
        return rules.has(expression.name);
      case 'concat':
        return holds(expression.head, rules) && holds(expression.tail, rules);
      case 'choice':
        return expression.options.some((option) => holds(option, rules));
      case 'repeat':
        return expression.min === 0 || holds(expression.body, rules);
      default:
        return leaf(expression.kind);
    }
  };
  return holds;
}

const canEnd = fromParts((kind) => kind !== 'nothing');
const mayBeEmpty = fromParts((kind) => kind === 'empty');

/** The rules that may come first in what an expression gives. */
function beginnings(start: Expression, empty: ReadonlySet<string>): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set([start]);
  for (const expression of seen) {
    if (expression.kind === 'rule') names.add(expression.name);
    for (const first of firstParts(expression, empty)) seen.add(first);
  }
  return names;
}

function firstParts(expression: Expression, empty: ReadonlySet<string>): readonly Expression[] {
  switch (expression.kind) {
    case 'rule':
      return [expression.body()];
    case 'concat':
      return mayBeEmpty(expression.head, empty) ? [expression.head, expression.tail] : [expression.head];
    case 'choice':
      return expression.options;
    case 'repeat':
      return [expression.body];
    default:
      return [];
  }
}
