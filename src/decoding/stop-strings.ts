/**
 * Finds stop strings in text that arrives in pieces and holds back only what may still become one.
 * One automaton for all strings (Aho and Corasick, CACM 18(6), 1975): its state is the longest end of the
 * text that begins a stop string, so the text to hold back is exactly as long as the state is deep.
 */

import { TrimtabError } from '../core/errors.js';

export interface StopMatch {
  /** Text that is safe to send. */
  readonly text: string;
  /** The stop string that ended the text, or null to go on. */
  readonly matched: string | null;
}

interface State {
  readonly next: Map<number, State>;
  readonly depth: number;
  fallback: State | undefined;
  /** The longest stop string that ends here. */
  match: string | undefined;
}

const newState = (depth: number): State => ({
  next: new Map(),
  depth,
  fallback: undefined,
  match: undefined,
});

/** Works on UTF-16 units; feed it whole characters and it holds back whole characters. */
export class StopStringMatcher {
  readonly #root: State;
  readonly #include: boolean;
  #state: State;
  #held = '';

  /** Throws `invalid_request` for an empty stop string, which would end every text. */
  constructor(strings: readonly string[], includeStopString: boolean) {
    if (strings.includes('')) {
      throw new TrimtabError('invalid_request', 'A stop string must not be empty.', { param: 'stop' });
    }
    this.#root = buildAutomaton(strings);
    this.#state = this.#root;
    this.#include = includeStopString;
  }

  /**
   * Takes the next piece. The match that ends first wins, of those that end together the longest. With
   * `mayStop` false a match is passed over, but a later one may still begin in this text.
   */
  push(piece: string, mayStop = true): StopMatch {
    const text = this.#held + piece;
    for (let at = this.#held.length; at < text.length; at++) {
      this.#state = this.#step(text.charCodeAt(at));
      const { match } = this.#state;
      if (match !== undefined && mayStop) return this.#end(text.slice(0, at + 1), match);
    }
    const safe = text.length - openDepth(this.#state);
    this.#held = text.slice(safe);
    return { text: text.slice(0, safe), matched: null };
  }

  /** What was held back, once no more text can come. */
  flush(): string {
    const text = this.#held;
    this.#held = '';
    this.#state = this.#root;
    return text;
  }

  #step(unit: number): State {
    let state: State | undefined = this.#state;
    while (state !== undefined) {
      const next = state.next.get(unit);
      if (next !== undefined) return next;
      state = state.fallback;
    }
    return this.#root;
  }

  #end(text: string, matched: string): StopMatch {
    this.flush();
    return { text: this.#include ? text : text.slice(0, text.length - matched.length), matched };
  }
}

/** How much of the text may still grow into a stop string; one that is complete (and passed over) does not. */
function openDepth(state: State): number {
  let open = state;
  while (open.next.size === 0 && open.fallback !== undefined) open = open.fallback;
  return open.depth;
}

function buildAutomaton(strings: readonly string[]): State {
  const root = newState(0);
  for (const string of strings) insert(root, string);
  const queue = [root];
  for (const state of queue) {
    for (const [unit, child] of state.next) {
      link(child, unit, state, root);
      queue.push(child);
    }
  }
  return root;
}

function insert(root: State, string: string): void {
  let state = root;
  for (let at = 0; at < string.length; at++) {
    const unit = string.charCodeAt(at);
    const next = state.next.get(unit) ?? newState(at + 1);
    state.next.set(unit, next);
    state = next;
  }
  state.match = string;
}

/** Parents come first, so the fallback of `parent` and everything shallower is final. */
function link(child: State, unit: number, parent: State, root: State): void {
  let state = parent.fallback;
  while (state !== undefined && !state.next.has(unit)) state = state.fallback;
  child.fallback = state?.next.get(unit) ?? root;
  child.match ??= child.fallback.match;
}
