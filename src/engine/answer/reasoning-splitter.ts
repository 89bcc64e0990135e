/** Takes the thoughts of a model, `<think>…</think>` at the start of its answer, out of the text as it comes. */

export const THINK = '<think>';
export const END_OF_THINK = '</think>';

export interface SplitPiece {
  readonly reasoning: string;
  readonly text: string;
}

export class ReasoningSplitter {
  #mode: 'start' | 'thinking' | 'between' | 'answer';
  #held = '';
  #hasThought = false;

  /** `isOpen`: the prompt ends inside the thoughts. */
  constructor(isOpen: boolean) {
    this.#mode = isOpen ? 'thinking' : 'start';
  }

  get isThinking(): boolean {
    return this.#mode === 'thinking';
  }

  push(piece: string): SplitPiece {
    this.#held += piece;
    if (this.#mode === 'start') this.#begin();
    const reasoning = this.#mode === 'thinking' ? this.#think() : '';
    if (this.#mode === 'between') this.#skipSpace();
    return { reasoning, text: this.#mode === 'answer' ? this.#take() : '' };
  }

  /** What was held back, once no more text comes. */
  finish(): SplitPiece {
    const isThinking = this.isThinking;
    const rest = this.#mode === 'between' ? '' : this.#take();
    return isThinking ? { reasoning: rest, text: '' } : { reasoning: '', text: rest };
  }

  #begin(): void {
    const rest = this.#held.trimStart();
    if (rest.startsWith(THINK)) {
      this.#held = rest.slice(THINK.length);
      this.#mode = 'thinking';
    } else if (!THINK.startsWith(rest)) this.#mode = 'answer';
  }

  #think(): string {
    if (!this.#hasThought) this.#held = this.#held.trimStart();
    this.#hasThought ||= this.#held !== '';
    const end = this.#held.indexOf(END_OF_THINK);
    if (end >= 0) {
      const reasoning = this.#held.slice(0, end).trimEnd();
      this.#held = this.#held.slice(end + END_OF_THINK.length);
      this.#mode = 'between';
      return reasoning;
    }
    let length = Math.min(this.#held.length, END_OF_THINK.length - 1);
    while (length > 0 && !END_OF_THINK.startsWith(this.#held.slice(-length))) length--;
    const safe = this.#held.slice(0, this.#held.length - length).trimEnd();
    this.#held = this.#held.slice(safe.length);
    return safe;
  }

  #skipSpace(): void {
    this.#held = this.#held.trimStart();
    if (this.#held !== '') this.#mode = 'answer';
  }

  #take(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}
