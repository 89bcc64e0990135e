/** Answers of an engine as they are measured, plain and drafted alike. */

import type { DraftReceipt } from '../../src/core/draft-receipt.js';
import type { GenerateEvent, GenerateRequest } from '../../src/core/messages.js';

export type DraftUse = Pick<
  DraftReceipt,
  'draftedSteps' | 'plainSteps' | 'draftedTokens' | 'acceptedByDepth' | 'draftMs'
>;

export interface Answer {
  readonly text: string;
  readonly tokens: number;
  /** From the request to the first token. */
  readonly firstTokenMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  /** Undefined if nothing was drafted. */
  readonly drafts: DraftUse | undefined;
}

/** Answers that were asked for at the same time: one, or the whole of a batch. */
export interface Round {
  readonly answers: readonly Answer[];
  /** Of all of them together, prompts included. */
  readonly wallMs: number;
}

export type Generate = (request: GenerateRequest) => AsyncIterable<GenerateEvent>;

export async function ask(generate: Generate, request: GenerateRequest): Promise<Answer> {
  const startedAt = performance.now();
  let text = '';
  let firstTokenMs = 0;
  for await (const event of generate(request)) {
    if (event.type === 'delta') {
      if (firstTokenMs === 0) firstTokenMs = performance.now() - startedAt;
      text += event.text;
    }
    if (event.type !== 'end') continue;
    const { usage, timings } = event;
    const drafts = usage.efficiency?.draftVerification;
    return { text, tokens: usage.completionTokens, firstTokenMs, decodeMs: timings.decodeMs, drafts };
  }
  throw new Error('the engine ended without an answer');
}

/** All requests at once. */
export async function askTogether(generate: Generate, requests: readonly GenerateRequest[]): Promise<Round> {
  const startedAt = performance.now();
  const answers = await Promise.all(requests.map((request) => ask(generate, request)));
  return { answers, wallMs: performance.now() - startedAt };
}
