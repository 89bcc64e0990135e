/** What whole and streamed text completions share: events of many prompts to pieces of numbered choices. */

import type { FinishReason, GenerateEvent, TokenLogprob } from '../../core/messages.js';
import type { PromptEvent } from '../generation.js';

export interface CompletionPiece {
  /** Choices of all prompts in one row: prompt × n + choice. */
  readonly index: number;
  readonly text: string;
  readonly logprobs: readonly TokenLogprob[] | undefined;
  readonly reason: FinishReason | null;
}

type StartEvent = Extract<GenerateEvent, { type: 'start' }>;

/** Turns events to pieces; an echoed prompt comes before the text of each of its choices. */
export class CompletionPieces {
  private readonly starts = new Map<number, StartEvent>();
  private readonly begun = new Set<number>();

  constructor(private readonly n: number) {}

  *of({ source, value: event }: PromptEvent): Generator<CompletionPiece> {
    if (event.type === 'start') this.starts.set(source, event);
    if (event.type !== 'delta' && event.type !== 'finish') return;
    const index = source * this.n + event.choice;
    if (!this.begun.has(index)) {
      this.begun.add(index);
      yield* echoed(index, this.starts.get(source));
    }
    if (event.type === 'finish') yield { index, text: '', logprobs: undefined, reason: event.reason };
    else yield { index, text: event.text, logprobs: event.logprobs, reason: null };
  }
}

function* echoed(index: number, start: StartEvent | undefined): Generator<CompletionPiece> {
  if (start?.promptText === undefined) return;
  yield { index, text: start.promptText, logprobs: start.promptLogprobs, reason: null };
}
