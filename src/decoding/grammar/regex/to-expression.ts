/** A regular expression as the language of the texts in which it finds a match. */

import type { SpellCharacters } from '../characters.js';
import type { Expression, ExpressionPool } from '../expressions.js';
import { allCodePoints } from '../ranges.js';
import { parseRegex } from './parse.js';
import { RegexError, type RegexNode } from './syntax.js';

/**
 * Unless it is anchored by `^` and `$`, other text may stand before and after the match, as in `RegExp.test`.
 * Throws `RegexError`.
 */
export function regexLanguage(pool: ExpressionPool, pattern: string, spell: SpellCharacters): Expression {
  return convert(pool, pattern, spell, pool.repeat(spell(pool, allCodePoints)));
}

/** Like `regexLanguage`, but the whole text has to match, as guided decoding understands its patterns. */
export function wholeRegexLanguage(
  pool: ExpressionPool,
  pattern: string,
  spell: SpellCharacters,
): Expression {
  return convert(pool, pattern, spell, pool.empty);
}

function convert(
  pool: ExpressionPool,
  pattern: string,
  spell: SpellCharacters,
  around: Expression,
): Expression {
  const node = parseRegex(pattern);
  const converter = new Converter(pool, spell, around);
  const options = node.type === 'choice' ? node.options : [node];
  return pool.choice(...options.map((option) => converter.alternative(option)));
}

class Converter {
  constructor(
    private readonly pool: ExpressionPool,
    private readonly spell: SpellCharacters,
    /** What may stand where there is no anchor. */
    private readonly around: Expression,
  ) {}

  /** One alternative of the whole pattern. */
  alternative(node: RegexNode): Expression {
    const items = node.type === 'sequence' ? node.items : [node];
    const isStart = items[0]?.type === 'start';
    const isEnd = items.at(-1)?.type === 'end';
    const inner = items.slice(isStart ? 1 : 0, isEnd ? -1 : undefined);
    const rest = this.#remaining(inner, isEnd ? this.pool.empty : this.around);
    return isStart ? rest : this.pool.concat(this.around, rest);
  }

  /** From the end backwards, so that a lookahead constrains all that follows it. */
  #remaining(items: readonly RegexNode[], end: Expression): Expression {
    return items.reduceRight<Expression>(
      (rest, item) =>
        item.type === 'lookahead' ? this.#looking(item, rest) : this.pool.concat(this.#convert(item), rest),
      end,
    );
  }

  #looking({ body, negative }: RegexNode & { type: 'lookahead' }, rest: Expression): Expression {
    const options = body.type === 'choice' ? body.options : [body];
    const ahead = this.pool.choice(...options.map((option) => this.#prefix(option)));
    return this.pool.both(rest, negative ? this.pool.not(ahead) : ahead);
  }

  #prefix(node: RegexNode): Expression {
    const items = node.type === 'sequence' ? node.items : [node];
    const isEnd = items.at(-1)?.type === 'end';
    return this.#remaining(
      items.slice(0, isEnd ? -1 : undefined),
      isEnd ? this.pool.empty : this.pool.anything,
    );
  }

  #convert(node: RegexNode): Expression {
    switch (node.type) {
      case 'set':
        return this.spell(this.pool, node.codePoints);
      case 'sequence':
        return this.pool.concat(...node.items.map((item) => this.#convert(item)));
      case 'choice':
        return this.pool.choice(...node.options.map((option) => this.#convert(option)));
      case 'repeat':
        return this.pool.repeat(this.#convert(node.body), node.min, node.max);
      case 'lookahead':
      case 'start':
      case 'end':
        throw new RegexError('^, $ and lookahead inside a group are not supported');
    }
  }
}
