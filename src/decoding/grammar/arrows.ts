/**
 * Derivatives of expressions for all bytes at once: the arrows that leave a state. Computed when a state is
 * first reached and kept with it, so that the automaton grows only where texts go. Rules are entered when their
 * turn comes, which makes the states of a context-free grammar its stacks.
 */

import type { Arrow, Expression, ExpressionPool } from './expressions.js';
import { GrammarTooComplex } from './expressions.js';

const LAST_BYTE = 0xff;
/** States that are looked at to find out whether a conjunction can still be fulfilled. */
const MAX_SEARCHED = 20_000;

/** True if the text may end here. */
export function nullable(expression: Expression): boolean {
  if (expression.nullable === undefined) {
    expression.nullable = false; // what a rule that begins with itself adds to itself
    expression.nullable = isNullable(expression);
  }
  return expression.nullable;
}

function isNullable(expression: Expression): boolean {
  switch (expression.kind) {
    case 'nothing':
    case 'bytes':
      return false;
    case 'empty':
      return true;
    case 'concat':
      return nullable(expression.head) && nullable(expression.tail);
    case 'choice':
      return expression.options.some(nullable);
    case 'repeat':
      return expression.min === 0 || nullable(expression.body);
    case 'both':
      return nullable(expression.a) && nullable(expression.b);
    case 'not':
      return !nullable(expression.body);
    case 'rule':
      return nullable(expression.body());
  }
}

/** Disjoint, in ascending order; every target can be completed to a match. Other bytes lead nowhere. */
export function arrowsOf(pool: ExpressionPool, expression: Expression): readonly Arrow[] {
  if (expression.arrows === undefined) {
    expression.arrows = []; // as above
    expression.arrows = derive(pool, expression);
  }
  return expression.arrows;
}

/** What may follow after `byte`; `pool.nothing` if it may not come. */
export function after(pool: ExpressionPool, expression: Expression, byte: number): Expression {
  for (const arrow of arrowsOf(pool, expression)) {
    if (byte <= arrow.high) return byte >= arrow.low ? arrow.target : pool.nothing;
  }
  return pool.nothing;
}

/** Bytes that cost as much as one new expression. */
const BYTES_PER_EXPRESSION = 8;

export function matches(pool: ExpressionPool, expression: Expression, text: Uint8Array): boolean {
  pool.spend(1 + text.length / BYTES_PER_EXPRESSION);
  return nullable(text.reduce((state, byte) => after(pool, state, byte), expression));
}

function derive(pool: ExpressionPool, expression: Expression): readonly Arrow[] {
  switch (expression.kind) {
    case 'nothing':
    case 'empty':
      return [];
    case 'bytes':
      return expression.ranges.map(([low, high]) => ({ low, high, target: pool.empty }));
    case 'concat': {
      const { head, tail } = expression;
      const within = retarget(arrowsOf(pool, head), (target) => pool.concat(target, tail));
      return nullable(head) ? united(pool, [within, arrowsOf(pool, tail)]) : within;
    }
    case 'choice':
      return united(
        pool,
        expression.options.map((option) => arrowsOf(pool, option)),
      );
    case 'repeat': {
      const rest = pool.repeat(expression.body, Math.max(0, expression.min - 1), expression.max - 1);
      return retarget(arrowsOf(pool, expression.body), (target) => pool.concat(target, rest));
    }
    case 'both':
      return alive(pool, intersected(pool, arrowsOf(pool, expression.a), arrowsOf(pool, expression.b)));
    case 'not':
      return alive(pool, complemented(pool, arrowsOf(pool, expression.body)));
    case 'rule':
      return arrowsOf(pool, expression.body());
  }
}

function retarget(arrows: readonly Arrow[], change: (target: Expression) => Expression): readonly Arrow[] {
  return arrows.map(({ low, high, target }) => ({ low, high, target: change(target) }));
}

/** Cuts the bytes at every boundary; `combine` gets the targets that each list has for a piece. */
function overlay(
  lists: ReadonlyArray<readonly Arrow[]>,
  combine: (targets: readonly (Expression | undefined)[]) => Expression | undefined,
): readonly Arrow[] {
  const cuts = new Set([0]);
  for (const { low, high } of lists.flat()) cuts.add(low).add(high + 1);
  const starts = [...cuts].sort((x, y) => x - y);
  const at = lists.map(() => 0);
  const arrows: Arrow[] = [];
  for (const [index, low] of starts.entries()) {
    if (low > LAST_BYTE) break;
    const target = combine(lists.map((list, k) => targetAt(list, low, at, k)));
    if (target === undefined) continue;
    const high = (starts[index + 1] ?? LAST_BYTE + 1) - 1;
    const last = arrows.at(-1);
    if (last?.target === target && last.high === low - 1) arrows[arrows.length - 1] = { ...last, high };
    else arrows.push({ low, high, target });
  }
  return arrows;
}

/** `at[k]` only ever moves forward, so that a list is walked once. */
function targetAt(list: readonly Arrow[], byte: number, at: number[], k: number): Expression | undefined {
  while (at[k]! < list.length && list[at[k]!]!.high < byte) at[k]!++;
  const arrow = list[at[k]!];
  return arrow !== undefined && arrow.low <= byte ? arrow.target : undefined;
}

function united(pool: ExpressionPool, lists: ReadonlyArray<readonly Arrow[]>): readonly Arrow[] {
  const filled = lists.filter((list) => list.length > 0);
  if (filled.length <= 1) return filled[0] ?? [];
  return overlay(filled, (targets) => {
    const present = targets.filter((target) => target !== undefined);
    return present.length === 0 ? undefined : pool.choice(...present);
  });
}

function intersected(pool: ExpressionPool, x: readonly Arrow[], y: readonly Arrow[]): readonly Arrow[] {
  return overlay([x, y], ([a, b]) => (a === undefined || b === undefined ? undefined : pool.both(a, b)));
}

function complemented(pool: ExpressionPool, arrows: readonly Arrow[]): readonly Arrow[] {
  return overlay([arrows, [{ low: 0, high: LAST_BYTE, target: pool.anything }]], ([target, all]) =>
    target === undefined ? all : pool.not(target),
  );
}

/** Only conjunctions and complements can lead into a dead end; all other expressions are alive by making. */
function alive(pool: ExpressionPool, arrows: readonly Arrow[]): readonly Arrow[] {
  return arrows.filter(({ target }) => canEnd(pool, target));
}

/** Searches for any way to an end. */
export function canEnd(pool: ExpressionPool, start: Expression): boolean {
  if (start.alive !== undefined) return start.alive;
  const seen = new Set([start]);
  for (const state of seen) {
    if (state.alive || nullable(state)) return markAlive(start);
    if (seen.size > MAX_SEARCHED) throw new GrammarTooComplex('the conditions on a text are too complex');
    for (const target of successors(pool, state)) seen.add(target);
  }
  for (const state of seen) state.alive = false;
  return false;
}

function markAlive(state: Expression): true {
  state.alive = true;
  return true;
}

/** Without asking whether they are alive, which is the question. */
function successors(pool: ExpressionPool, state: Expression): readonly Expression[] {
  const arrows =
    state.kind === 'both'
      ? intersected(pool, raw(pool, state.a), raw(pool, state.b))
      : state.kind === 'not'
        ? complemented(pool, raw(pool, state.body))
        : arrowsOf(pool, state);
  return arrows.map(({ target }) => target);
}

function raw(pool: ExpressionPool, expression: Expression): readonly Arrow[] {
  if (expression.kind === 'both') {
    return intersected(pool, raw(pool, expression.a), raw(pool, expression.b));
  }
  if (expression.kind === 'not') return complemented(pool, raw(pool, expression.body));
  return arrowsOf(pool, expression);
}
