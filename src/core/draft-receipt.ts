/** What drafting did for a request: its steps by what was drafted and accepted, and what that took. */

import { type DraftSourceName, draftSources } from './efficiency.js';

/** `table[k][j]` steps had k drafted tokens, of which j were accepted; row 0 holds the plain steps, rows without steps are empty. */
export type StepTable = readonly (readonly number[])[];

/** One number for each step that verified a draft, in their order; of several choices one after another. */
export interface DraftedSteps {
  readonly drafted: readonly number[];
  readonly accepted: readonly number[];
}

/** Over all choices. */
export interface DraftReceipt {
  /** Most tokens that could be drafted for a step. */
  readonly maxDraftTokens: number;
  readonly steps: StepTable;
  /** Steps that verified a draft, and steps that had none. */
  readonly draftedSteps: number;
  readonly plainSteps: number;
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
  /** Tokens that came of all these steps: one each, and what was accepted, unless a draft's own token was the last. */
  readonly tokens: number;
  /** Only if the request asked for it. */
  readonly stepByStep?: DraftedSteps;
  readonly draftMs: number;
  /** The request's part of the time of steps that verified its drafts; other sequences in them have theirs. */
  readonly verifyMs: number;
  /** Index 0 counts drafts of depth 1. */
  readonly acceptedByDepth: readonly number[];
  /** Proposals that a grammar did not allow; not among the drafted tokens. */
  readonly rejectedByGrammar: number;
  /** A token that several sources proposed counts for each. */
  readonly draftedBySource: Readonly<Record<DraftSourceName, number>>;
  readonly acceptedBySource: Readonly<Record<DraftSourceName, number>>;
  /** Of the request's `prediction`, in tokens. */
  readonly acceptedPrediction: number;
  readonly rejectedPrediction: number;
}

/** Of several choices or prompts together. */
export function addDraftReceipts(a: DraftReceipt, b: DraftReceipt): DraftReceipt {
  const perSource = (of: (receipt: DraftReceipt) => DraftReceipt['draftedBySource']) =>
    Object.fromEntries(
      draftSources.map((name) => [name, of(a)[name] + of(b)[name]]),
    ) as typeof a.draftedBySource;
  return {
    maxDraftTokens: Math.max(a.maxDraftTokens, b.maxDraftTokens),
    steps: addTables(a.steps, b.steps),
    draftedSteps: a.draftedSteps + b.draftedSteps,
    plainSteps: a.plainSteps + b.plainSteps,
    draftedTokens: a.draftedTokens + b.draftedTokens,
    acceptedTokens: a.acceptedTokens + b.acceptedTokens,
    tokens: a.tokens + b.tokens,
    ...(a.stepByStep && b.stepByStep && { stepByStep: joined(a.stepByStep, b.stepByStep) }),
    draftMs: a.draftMs + b.draftMs,
    verifyMs: a.verifyMs + b.verifyMs,
    acceptedByDepth: added(a.acceptedByDepth, b.acceptedByDepth),
    rejectedByGrammar: a.rejectedByGrammar + b.rejectedByGrammar,
    draftedBySource: perSource((receipt) => receipt.draftedBySource),
    acceptedBySource: perSource((receipt) => receipt.acceptedBySource),
    acceptedPrediction: a.acceptedPrediction + b.acceptedPrediction,
    rejectedPrediction: a.rejectedPrediction + b.rejectedPrediction,
  };
}

function addTables(a: StepTable, b: StepTable): StepTable {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, k) => added(a[k] ?? [], b[k] ?? []));
}

/** Index by index; what one of them lacks is 0. */
function added(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => (a[i] ?? 0) + (b[i] ?? 0));
}

function joined(a: DraftedSteps, b: DraftedSteps): DraftedSteps {
  return { drafted: [...a.drafted, ...b.drafted], accepted: [...a.accepted, ...b.accepted] };
}
