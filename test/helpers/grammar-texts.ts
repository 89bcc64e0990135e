/** Texts of a grammar without a model: is this one of them, and draw one at random. */

import { after, arrowsOf, nullable } from '../../src/decoding/grammar/arrows.js';
import type { Expression, ExpressionPool } from '../../src/decoding/grammar/expressions.js';

export function matches(pool: ExpressionPool, grammar: Expression, text: string): boolean {
  let state = grammar;
  for (const byte of Buffer.from(text, 'utf8')) state = after(pool, state, byte);
  return nullable(state);
}

/** Wanders at random for `wander` bytes, then takes the shortest way to an end. */
export function randomText(
  pool: ExpressionPool,
  grammar: Expression,
  random: () => number,
  wander = 120,
): string {
  const bytes: number[] = [];
  const lengths = new Map<Expression, number>();
  for (let state = grammar; ; ) {
    const arrows = arrowsOf(pool, state);
    const mayEnd = nullable(state);
    if (arrows.length === 0 && !mayEnd) throw new Error(`dead end after ${Buffer.from(bytes)}`);
    if (mayEnd && (arrows.length === 0 || bytes.length > wander || random() < 0.3)) break;
    const arrow =
      bytes.length < wander
        ? arrows[Math.floor(random() * arrows.length)]!
        : [...arrows].sort((a, b) => shortest(a.target, lengths) - shortest(b.target, lengths))[0]!;
    bytes.push(arrow.low + Math.floor(random() * (arrow.high - arrow.low + 1)));
    state = arrow.target;
    if (bytes.length > 100_000) throw new Error('no end');
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
}

function shortest(expression: Expression, lengths: Map<Expression, number>): number {
  const known = lengths.get(expression);
  if (known !== undefined) return known;
  lengths.set(expression, Number.POSITIVE_INFINITY);
  const length = measure(expression, (part) => shortest(part, lengths));
  lengths.set(expression, length);
  return length;
}

function measure(expression: Expression, of: (part: Expression) => number): number {
  switch (expression.kind) {
    case 'bytes':
      return 1;
    case 'concat':
      return of(expression.head) + of(expression.tail);
    case 'choice':
      return Math.min(...expression.options.map(of));
    case 'repeat':
      return expression.min === 0 ? 0 : expression.min * of(expression.body);
    case 'both':
      return Math.max(of(expression.a), of(expression.b));
    case 'rule':
      return of(expression.body());
    default:
      return 0;
  }
}
