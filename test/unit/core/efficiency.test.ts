import { describe, expect, it } from 'vitest';
import { automaticDrafts, defaultEfficiency, efficiencyPlan } from '../../../src/core/efficiency.js';
import { parseChatRequest } from '../../../src/server/openai/chat-request.js';

const parse = (efficiency: unknown) =>
  parseChatRequest({ model: 'm', messages: [{ role: 'user', content: 'x' }], efficiency }, 'id').generate
    .efficiency;

describe('efficiency where nobody says anything', () => {
  it('drafts where that changes no answer, and for whoever brings a prediction', () => {
    const drafts = { draftVerification: automaticDrafts };
    expect(defaultEfficiency('A', false)).toEqual(drafts);
    expect(defaultEfficiency('B', false)).toEqual({});
    expect(defaultEfficiency('B', true)).toEqual(drafts);
  });
});

describe('efficiency of a request', () => {
  it('takes what it is asked, with the published order and depths as defaults', () => {
    expect(parse({ token_merging: { keep: 0.25 }, token_pruning: {} })).toEqual({
      tokenMerging: { keep: 0.25, order: 'reference', reducer: 'similarity' },
      tokenPruning: { start: 0.5, end: 0.786 },
    });
    expect(parse({ token_merging: null, token_pruning: false })).toEqual({ tokenPruning: false });
    expect(parse(undefined)).toEqual({});
  });

  it.each([
    [{ token_merging: { keep: 0 } }, 'efficiency.token_merging.keep: expected > 0, received 0'],
    [{ token_merging: { keep: 2 } }, 'efficiency.token_merging.keep: expected ≤ 1, received 2'],
    [{ token_merging: { keep: 'half' } }, 'efficiency.token_merging.keep: expected number, received "half"'],
    [{ token_merging: { keep: Number.NaN } }, 'efficiency.token_merging.keep: expected number, received NaN'],
    [{ token_merging: {} }, 'efficiency.token_merging.keep: expected number, received nothing'],
    [
      { token_merging: { keep: 1, order: 'z' } },
      'efficiency.token_merging.order: expected one of "reference"',
    ],
    [{ visual_budget: { max_frames: 0 } }, 'efficiency.visual_budget.max_frames: expected ≥ 1, received 0'],
    [{ visual_budget: { lost_detail: 'x' } }, 'efficiency.visual_budget.lost_detail: expected number'],
    [{ token_merging: { keep: 1, by: 2 } }, 'efficiency.token_merging: unknown key "by"'],
    [{ token_pruning: true }, 'efficiency.token_pruning: expected false or object, received true'],
    [
      { draft_verification: 'yes' },
      'efficiency.draft_verification: expected false or one of "off", "auto" or object, received "yes"',
    ],
    [
      { token_pruning: { start: 0.6, end: 0.6 } },
      'efficiency.token_pruning.end: expected a number above start',
    ],
    [{ token_pruning: { start: 0.9 } }, 'efficiency.token_pruning.end: expected a number above start'],
    [{ token_pruning: { end: 1.1 } }, 'efficiency.token_pruning.end: expected ≤ 1, received 1.1'],
    [
      { mixture_of_depths: { skip: 0.3 } },
      'efficiency.mixture_of_depths: needs a model that was trained with',
    ],
  ])('refuses %j by name', (efficiency, message) => {
    expect(() => parse(efficiency)).toThrow(message);
  });

  it('wins over that of its model, which wins over that of the server', () => {
    const server = {
      tokenMerging: { keep: 0.5, order: 'raster' },
      tokenPruning: { start: 0.5, end: 0.7 },
    } as const;
    const plan = efficiencyPlan(
      { tokenPruning: false },
      { tokenMerging: { keep: 0.25, order: 'raster' } },
      server,
    );
    expect(plan).toEqual({ tokenMerging: { keep: 0.25, order: 'raster' }, tokenPruning: undefined });
    expect(efficiencyPlan(parse({ profile: 'exact' }), server)).toEqual({});
    expect(efficiencyPlan({}, {}, server)).toEqual(server);
  });
});
