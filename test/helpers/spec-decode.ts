/** What must hold of `metrics.speculative_decoding`, whatever was drafted. */

import { expect } from 'vitest';
import type { Reply } from '../contract/target.js';

const vllmFields = [
  'mean_acceptance_length',
  'draft_acceptance_rate',
  'acceptance_histogram',
  'acceptance_histogram_by_draft_length',
  'num_spec_steps',
  'num_accepted_draft_tokens',
  'num_draft_tokens',
  'num_spec_tokens',
];
const ownFields = ['num_plain_steps', 'tokens_per_model_step', 'by_source', 'draft_ms', 'verify_ms'];
const stepFields = ['per_step_accepted', 'per_step_drafted'];

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
const weighted = (counts: readonly number[]) => sum(counts.map((count, index) => count * index));

/** The numbers of a reply agree with each other. */
export function assertConsistent(drafts: Reply, level: 'summary' | 'detailed' = 'summary'): void {
  const fields = [...vllmFields, ...(level === 'detailed' ? stepFields : []), ...ownFields];
  expect(Object.keys(drafts).sort()).toEqual(fields.sort());
  const histogram: number[] = drafts.acceptance_histogram;
  expect(histogram).toHaveLength(drafts.num_spec_tokens + 1);
  expect(sum(histogram)).toBe(drafts.num_spec_steps);
  expect(weighted(histogram)).toBe(drafts.num_accepted_draft_tokens);
  assertLengths(drafts);
  expect(drafts.mean_acceptance_length).toBeCloseTo(
    1 + drafts.num_accepted_draft_tokens / Math.max(1, drafts.num_spec_steps),
    12,
  );
  expect(drafts.draft_acceptance_rate).toBeCloseTo(
    drafts.num_accepted_draft_tokens / Math.max(1, drafts.num_draft_tokens),
    12,
  );
  if (level === 'detailed') assertSteps(drafts);
}

function assertLengths(drafts: Reply): void {
  const rows = Object.entries<number[]>(drafts.acceptance_histogram_by_draft_length);
  for (const [length, row] of rows) {
    expect(Number(length)).toBeGreaterThan(0);
    expect(Number(length)).toBeLessThanOrEqual(drafts.num_spec_tokens);
    expect(row).toHaveLength(Number(length) + 1);
    expect(sum(row)).toBeGreaterThan(0);
  }
  expect(sum(rows.map(([length, row]) => Number(length) * sum(row)))).toBe(drafts.num_draft_tokens);
  drafts.acceptance_histogram.forEach((steps: number, accepted: number) => {
    expect(sum(rows.map(([, row]) => row[accepted] ?? 0))).toBe(steps);
  });
}

function assertSteps(drafts: Reply): void {
  const { per_step_accepted: accepted, per_step_drafted: drafted } = drafts;
  expect([accepted.length, drafted.length]).toEqual([drafts.num_spec_steps, drafts.num_spec_steps]);
  expect([sum(accepted), sum(drafted)]).toEqual([drafts.num_accepted_draft_tokens, drafts.num_draft_tokens]);
  drafted.forEach((count: number, step: number) => {
    expect(count).toBeGreaterThanOrEqual(Math.max(1, accepted[step]));
  });
}

/** `generated` are the tokens of all choices, whose first ones come of the prompt and of no step. */
export function assertTokensPerStep(drafts: Reply, generated: number, choices = 1): void {
  const steps = drafts.num_spec_steps + drafts.num_plain_steps;
  expect(drafts.tokens_per_model_step).toBeCloseTo(steps === 0 ? 1 : (generated - choices) / steps, 12);
}
