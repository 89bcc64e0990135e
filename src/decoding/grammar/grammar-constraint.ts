import { ok } from 'node:assert/strict';
import type { TokenConstraint } from '../token-constraint.js';
import type { Expression } from './expressions.js';
import type { TokenAutomaton } from './token-automaton.js';

/** Holds a sequence to a grammar. All of its state is the list of states that its tokens led through. */
export class GrammarConstraint implements TokenConstraint {
  readonly #automaton: TokenAutomaton;
  readonly #trail: Expression[];

  constructor(automaton: TokenAutomaton, trail: readonly Expression[] = [automaton.start]) {
    this.#automaton = automaton;
    this.#trail = [...trail];
  }

  allowed(): Uint32Array {
    return this.#automaton.allowed(this.#state);
  }

  get complete(): boolean {
    return this.#automaton.isComplete(this.#state);
  }

  accept(tokenId: number): void {
    const next = this.#automaton.next(this.#state, tokenId);
    ok(next !== undefined, `token ${tokenId} is not allowed by the grammar`);
    this.#trail.push(next);
  }

  rollback(count: number): void {
    ok(count < this.#trail.length, 'only accepted tokens can be taken back');
    this.#trail.length -= count;
  }

  fork(): GrammarConstraint {
    return new GrammarConstraint(this.#automaton, this.#trail);
  }

  get #state(): Expression {
    return this.#trail.at(-1)!;
  }
}
