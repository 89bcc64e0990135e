/** Reads a regular expression. Quantifiers may be lazy and groups capturing: the language is the same. */

import { complement, joinRanges, type Range } from '../ranges.js';
import { classEscapes, controlEscapes, lineEnds } from './classes.js';
import { RegexError, type RegexNode } from './syntax.js';

const MAX_PATTERN_LENGTH = 8192;
const MAX_DEPTH = 100;
const HEX = /^[0-9a-fA-F]+$/;

/** Throws `RegexError`. */
export function parseRegex(pattern: string): RegexNode {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    throw new RegexError(`expected ≤ ${MAX_PATTERN_LENGTH} characters, received ${pattern.length}`);
  }
  try {
    new RegExp(pattern);
  } catch (error) {
    throw new RegexError(error instanceof Error ? error.message : String(error));
  }
  return new Parser(pattern).parse();
}

class Parser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#characters = Array.from(pattern);
  }

  parse(): RegexNode {
    const node = this.#choice();
    if (this.#at < this.#characters.length) throw new RegexError(`unexpected "${this.#peek()}"`);
    return node;
  }

  #choice(): RegexNode {
    if (++this.#depth > MAX_DEPTH) throw new RegexError(`groups are nested deeper than ${MAX_DEPTH}`);
    const options = [this.#sequence()];
    while (this.#take('|')) options.push(this.#sequence());
    this.#depth--;
    return options.length === 1 ? options[0]! : { type: 'choice', options };
  }

  #sequence(): RegexNode {
    const items: RegexNode[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      items.push(this.#quantified(this.#atom()));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items };
  }

  #quantified(body: RegexNode): RegexNode {
    const bounds = this.#quantifier();
    if (bounds === undefined) return body;
    if (body.type === 'start' || body.type === 'end' || body.type === 'lookahead') {
      throw new RegexError('an assertion cannot be repeated');
    }
    this.#take('?');
    return { type: 'repeat', body, min: bounds[0], max: bounds[1] };
  }

  #quantifier(): readonly [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    const braces = /^\{(\d{1,6})(,?)(\d{0,6})\}/.exec(this.#ahead(17));
    if (braces === null) return undefined;
    this.#at += braces[0].length;
    const min = Number(braces[1]);
    if (braces[2] === '') return [min, min];
    return [min, braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3])];
  }

  #atom(): RegexNode {
    const character = this.#next();
    if (character === '^') return { type: 'start' };
    if (character === '$') return { type: 'end' };
    if (character === '.') return { type: 'set', codePoints: complement(lineEnds) };
    if (character === '[') return { type: 'set', codePoints: this.#class() };
    if (character === '(') return this.#group();
    if (character === '\\') return { type: 'set', codePoints: this.#escape() };
    return { type: 'set', codePoints: single(character.codePointAt(0)!) };
  }

  #group(): RegexNode {
    const lookahead = this.#take('?=') ? 'positive' : this.#take('?!') ? 'negative' : undefined;
    if (lookahead === undefined) this.#skipGroupName();
    const body = this.#choice();
    if (!this.#take(')')) throw new RegexError('a group is not closed');
    return lookahead === undefined ? body : { type: 'lookahead', body, negative: lookahead === 'negative' };
  }

  #skipGroupName(): void {
    if (this.#take('?:')) return;
    const name = /^\?<([\p{ID_Start}$_][\p{ID_Continue}$]*)>/u.exec(this.#ahead(256));
    if (name !== null) this.#at += Array.from(name[0]).length;
    else if (this.#peek() === '?') throw new RegexError('lookbehind and inline flags are not supported');
  }

  #class(): readonly Range[] {
    const negative = this.#take('^');
    const ranges: Range[] = [];
    while (!this.#take(']')) {
      const from = this.#classAtom();
      if (this.#peek() === '-' && this.#characters[this.#at + 1] !== ']') {
        this.#at++;
        ranges.push(...span(from, this.#classAtom()));
      } else ranges.push(...from);
    }
    return negative ? complement(ranges) : joinRanges(ranges);
  }

  #classAtom(): readonly Range[] {
    const character = this.#next();
    if (character !== '\\') return single(character.codePointAt(0)!);
    return this.#take('b') ? single(8) : this.#escape();
  }

  #escape(): readonly Range[] {
    const character = this.#next();
    const set = classEscapes[character];
    if (set !== undefined) return set;
    const control = controlEscapes[character];
    if (control !== undefined) return single(control);
    if (character === 'x') return single(this.#hex(2));
    if (character === 'u') return single(this.#unicode());
    if (/[1-9bBkpPc]/.test(character)) throw new RegexError(`\\${character} is not supported`);
    return single(character.codePointAt(0)!);
  }

  #unicode(): number {
    const braces = /^\{([0-9a-fA-F]{1,6})\}/.exec(this.#ahead(8));
    if (braces !== null) {
      this.#at += braces[0].length;
      return Number.parseInt(braces[1]!, 16);
    }
    const first = this.#hex(4);
    if (first < 0xd800 || first > 0xdbff || !this.#take('\\u')) return first;
    return String.fromCharCode(first, this.#hex(4)).codePointAt(0)!;
  }

  #hex(length: number): number {
    const digits = this.#ahead(length);
    if (digits.length < length || !HEX.test(digits)) throw new RegexError('an escape has no hex digits');
    this.#at += length;
    return Number.parseInt(digits, 16);
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #ahead(length: number): string {
    return this.#characters.slice(this.#at, this.#at + length).join('');
  }

  #next(): string {
    const character = this.#peek();
    if (character === undefined) throw new RegexError('the pattern ends too early');
    this.#at++;
    return character;
  }

  #take(text: string): boolean {
    if (this.#ahead(text.length) !== text) return false;
    this.#at += text.length;
    return true;
  }
}

function single(codePoint: number): readonly Range[] {
  return [[codePoint, codePoint]];
}

/** `a-z`; a class on either side makes the dash a character of its own. */
function span(from: readonly Range[], to: readonly Range[]): readonly Range[] {
  const [low, high] = [from[0]!, to[0]!];
  const areSingle = from.length === 1 && to.length === 1 && low[0] === low[1] && high[0] === high[1];
  return areSingle ? [[low[0], high[0]]] : [...from, ...single(0x2d), ...to];
}
