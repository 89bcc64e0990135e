import { describe, expect, it } from 'vitest';
import { addDraftReceipts, type DraftReceipt } from '../../../src/core/draft-receipt.js';
import { draftSources } from '../../../src/core/efficiency.js';
import { DraftCounters } from '../../../src/decoding/speculative/draft-counters.js';
import { DraftNode } from '../../../src/decoding/speculative/draft-node.js';
import { sourceBit } from '../../../src/decoding/speculative/draft-source.js';
import { draftReceipt } from '../../../src/engine/sequence/draft-receipt.js';
import { metricsBody } from '../../../src/server/openai/request-metrics.js';
import { assertConsistent } from '../../helpers/spec-decode.js';

/** A chain of so many drafted tokens, the first proposed by two sources. */
function chain(count: number): DraftNode[] {
  const nodes: DraftNode[] = [];
  for (let depth = 1; depth <= count; depth++) {
    const node = new DraftNode(depth, nodes.at(-1));
    node.sources = sourceBit('context') | (depth === 1 ? sourceBit('history') : 0);
    nodes.push(node);
  }
  return nodes;
}

/** The receipt of steps that drafted and accepted so much; each takes 2 ms, of which drafting takes half of one. */
function receiptOf(
  steps: readonly (readonly [drafted: number, accepted: number])[],
  maxDraftTokens = 3,
): DraftReceipt {
  const counters = new DraftCounters();
  for (const [drafted, accepted] of steps) {
    const nodes = chain(drafted);
    counters.note(nodes, nodes.slice(0, accepted), accepted + 1);
    counters.noteTime(drafted, 0.5, 2);
  }
  const prediction = { accepted: 0, rejected: 0 };
  return draftReceipt({ counters, prediction }, counters.tokens + 1, { maxDraftTokens, stepByStep: true });
}

function told(receipt: DraftReceipt) {
  const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
  const body = metricsBody({ ...usage, efficiency: { draftVerification: receipt } }, 'detailed');
  return body.metrics!.speculative_decoding!;
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('metrics.speculative_decoding', () => {
  it("has the numbers of the example in vLLM's documentation for the same steps", () => {
    const steps = [...times(39, [3, 0] as const), [3, 1] as const, ...times(3, [3, 3] as const)];
    const drafts = told(receiptOf(steps));
    assertConsistent(drafts, 'detailed');
    expect(drafts).toMatchObject({
      mean_acceptance_length: 1.2325581395348837,
      draft_acceptance_rate: 0.07751937984496124,
      acceptance_histogram: [39, 1, 0, 3],
      acceptance_histogram_by_draft_length: { 3: [39, 1, 0, 3] },
      num_spec_steps: 43,
      num_accepted_draft_tokens: 10,
      num_draft_tokens: 129,
      num_spec_tokens: 3,
    });
  });

  it('tells drafts of different lengths apart, and plain steps from those whose draft failed', () => {
    const steps = [
      [1, 1],
      [0, 0],
      [3, 2],
      [3, 0],
      [0, 0],
    ] as const;
    const drafts = told(receiptOf(steps, 4));
    assertConsistent(drafts, 'detailed');
    expect(drafts).toMatchObject({
      acceptance_histogram: [1, 1, 1, 0, 0],
      acceptance_histogram_by_draft_length: { 1: [0, 1], 3: [1, 0, 1, 0] },
      per_step_accepted: [1, 2, 0],
      per_step_drafted: [1, 3, 3],
      num_plain_steps: 2,
      tokens_per_model_step: 8 / 5,
      draft_ms: 2.5,
      verify_ms: 6,
    });
    expect(drafts.by_source).toMatchObject({
      context: { drafted: 7, accepted: 3 },
      history: { drafted: 3, accepted: 2 },
      grammar: { drafted: 0, accepted: 0 },
    });
    expect(Object.keys(drafts.by_source)).toEqual([...draftSources]);
  });

  it('counts no token twice that a draft brought as the last', () => {
    const counters = new DraftCounters();
    const nodes = chain(2);
    counters.note(nodes, nodes, 2);
    const drafts = { counters, prediction: { accepted: 0, rejected: 0 } };
    const { num_accepted_draft_tokens, tokens_per_model_step } = told(
      draftReceipt(drafts, 3, { maxDraftTokens: 3, stepByStep: true }),
    );
    expect([num_accepted_draft_tokens, tokens_per_model_step]).toEqual([2, 2]);
  });

  it('counts plain steps where drafts were allowed and none came, and is null where none were allowed', () => {
    const drafts = told(draftReceipt(undefined, 5, { maxDraftTokens: 2, stepByStep: true }));
    assertConsistent(drafts, 'detailed');
    expect(drafts).toMatchObject({
      mean_acceptance_length: 1,
      draft_acceptance_rate: 0,
      acceptance_histogram: [0, 0, 0],
      num_plain_steps: 4,
      tokens_per_model_step: 1,
    });
    const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
    expect(metricsBody(usage, 'summary')).toEqual({ metrics: { speculative_decoding: null } });
    expect(metricsBody(usage, 'none')).toEqual({});
  });
});

describe('receipts of drafts', () => {
  it('add up to the receipt of all the steps together, in either order', () => {
    const [few, many] = [
      [[2, 1] as const, [0, 0] as const],
      [[5, 4] as const, [2, 2] as const, [1, 0] as const],
    ];
    const whole = receiptOf([...few, ...many], 5);
    expect(addDraftReceipts(receiptOf(few, 2), receiptOf(many, 5))).toEqual(whole);
    const { stepByStep: _, ...counts } = whole;
    expect(addDraftReceipts(receiptOf(many, 5), receiptOf(few, 2))).toMatchObject(counts);
  });
});
