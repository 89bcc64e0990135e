/** The text of one choice, read as it comes: thoughts, content and tool calls. */

import type { ToolCallDelta } from '../../core/messages.js';
import type { CallParser } from './call-parser.js';
import type { ReasoningSplitter } from './reasoning-splitter.js';

export interface AnswerPiece {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly ToolCallDelta[];
}

export class AnswerReader {
  constructor(
    private readonly reasoning?: ReasoningSplitter | undefined,
    private readonly calls?: CallParser | undefined,
  ) {}

  get isThinking(): boolean {
    return this.reasoning?.isThinking === true;
  }

  push(piece: string): AnswerPiece {
    const split = this.reasoning?.push(piece) ?? { reasoning: '', text: piece };
    const parsed = this.calls?.push(split.text) ?? { text: split.text, toolCalls: [] };
    return { reasoning: split.reasoning, ...parsed };
  }

  /** The last piece, and what was held back before it. */
  finish(piece: string): AnswerPiece {
    const first = this.push(piece);
    const split = this.reasoning?.finish() ?? { reasoning: '', text: '' };
    const parsed = this.calls?.push(split.text) ?? { text: split.text, toolCalls: [] };
    const last = this.calls?.finish() ?? { text: '', toolCalls: [] };
    return {
      reasoning: first.reasoning + split.reasoning,
      text: first.text + parsed.text + last.text,
      toolCalls: [...first.toolCalls, ...parsed.toolCalls, ...last.toolCalls],
    };
  }
}
