/**
 * Splits the text of an answer into content and tool calls as it comes. Nothing is lost: what turns out to be
 * no call, or an unfinished one that nobody was told of, comes back as content.
 */

import type { ToolCallDelta } from '../../core/messages.js';
import { CallScanner } from './call-scanner.js';
import type { ToolFormat } from './tool-format.js';

export interface ParsedPiece {
  readonly text: string;
  readonly toolCalls: readonly ToolCallDelta[];
}

export class CallParser {
  /** Text that is not decided yet. */
  #held = '';
  /** What was taken of a call that is not certain yet, to be given back. */
  #taken = '';
  #mode: 'start' | 'content' | 'begin' | 'call' | 'after' = 'start';
  #scanner: CallScanner | undefined;
  #index = -1;
  #text = '';
  #calls: ToolCallDelta[] = [];

  constructor(
    private readonly format: ToolFormat,
    private readonly names: ReadonlySet<string>,
  ) {}

  push(text: string): ParsedPiece {
    this.#held += text;
    while (this.#advance());
    return this.#take();
  }

  /** Gives back what was held, once no more text comes. */
  finish(): ParsedPiece {
    const rest = this.#scanner?.begun ? '' : this.#taken + this.#held;
    const isBlank = this.#index >= 0 && rest.trim() === '';
    if (!isBlank) this.#text += rest;
    this.#held = '';
    this.#taken = '';
    return this.#take();
  }

  #take(): ParsedPiece {
    const piece = { text: this.#text, toolCalls: this.#calls };
    this.#text = '';
    this.#calls = [];
    return piece;
  }

  /** One move; false when more text is needed. */
  #advance(): boolean {
    switch (this.#mode) {
      case 'start':
        return this.#start();
      case 'content':
        return this.#content();
      case 'begin':
        return this.#begin();
      case 'call':
        return this.#call();
      case 'after':
        return this.#after();
    }
  }

  /** An answer may begin with a bare call where the format says so. */
  #start(): boolean {
    const first = this.#held.trimStart()[0];
    if (first === undefined) return false;
    if (this.format.markerIsOptional && first === '{') return this.#open('call', 0);
    this.#mode = 'content';
    return true;
  }

  /** White space before a call belongs to the call, so it waits too. */
  #content(): boolean {
    const { marker } = this.format;
    if (marker === undefined) return this.#release(this.#held.length);
    const at = this.#held.indexOf(marker);
    if (at < 0) return this.#release(this.#held.length - heldLength(this.#held, marker));
    const end = this.#held.slice(0, at).trimEnd().length;
    this.#release(end);
    return this.#open('begin', this.#held.indexOf(marker) + marker.length);
  }

  #release(length: number): false {
    this.#text += this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return false;
  }

  #open(mode: 'begin' | 'call', length: number): true {
    this.#consume(length);
    this.#mode = mode;
    return true;
  }

  #begin(): boolean {
    return this.#expect([this.format.begin], () => {
      this.#mode = 'call';
    });
  }

  #call(): boolean {
    if (this.#held === '') return false;
    this.#scanner ??= new CallScanner((name) => this.names.has(name));
    const wasBegun = this.#scanner.begun;
    this.#consume(this.#scanner.push(this.#held));
    if (this.#scanner.state === 'malformed' && !wasBegun) return this.#giveBack();
    if (this.#scanner.begun) this.#report(this.#scanner, wasBegun);
    if (this.#scanner.state === 'open') return false;
    this.#scanner = undefined;
    this.#taken = '';
    this.#mode = 'after';
    return true;
  }

  #report(scanner: CallScanner, wasBegun: boolean): void {
    if (!wasBegun) {
      this.#index++;
      const head = { index: this.#index, id: this.format.newCallId(), name: scanner.name!, arguments: '' };
      this.#calls.push(head);
    }
    const text = scanner.takeArguments();
    if (text !== '') this.#calls.push({ index: this.#index, arguments: text });
  }

  /** Another call, the end of the calls, or text after all. */
  #after(): boolean {
    const { separator, end } = this.format;
    const next = [...(separator === undefined ? [] : [separator]), ...(end === '' ? [] : [end])];
    return this.#expect(next, (found) => {
      this.#taken = '';
      this.#mode = found === separator ? 'call' : 'content';
    });
  }

  /** Takes one of some texts, after white space. */
  #expect(texts: readonly string[], then: (found: string) => void): boolean {
    const blank = this.#held.length - this.#held.trimStart().length;
    const rest = this.#held.slice(blank);
    const found = texts.find((text) => rest.startsWith(text));
    if (found === undefined) {
      if (texts.some((text) => text.startsWith(rest))) return false;
      return this.#giveBack();
    }
    this.#consume(blank + found.length);
    then(found);
    return true;
  }

  #consume(length: number): void {
    this.#taken += this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
  }

  #giveBack(): true {
    this.#text += this.#taken;
    this.#taken = '';
    this.#scanner = undefined;
    this.#mode = 'content';
    return true;
  }
}

/** How much of the end may still become the marker, white space before it included. */
function heldLength(text: string, marker: string): number {
  let length = Math.min(text.length, marker.length - 1);
  while (length > 0 && !marker.startsWith(text.slice(-length))) length--;
  return text.length - text.slice(0, text.length - length).trimEnd().length;
}
