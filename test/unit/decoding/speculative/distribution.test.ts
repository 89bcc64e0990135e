/**
 * The law of sampled tokens does not depend on what was drafted: a toy model with known probabilities, three
 * tokens, and all 512 outcomes counted.
 */

import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../../../src/decoding/random.js';
import { Sampler } from '../../../../src/decoding/sampler.js';
import { acceptDraft } from '../../../../src/decoding/speculative/acceptance.js';
import { chiSquareP, kolmogorovSmirnovP } from '../../../helpers/chi-square.js';
import { sized } from '../../../helpers/full-size.js';
import { seededFloats } from '../../../helpers/seeded.js';
import { contextOf, neutral } from '../sampling-params.js';

const VOCAB = 8;
const LENGTH = 3;
const sampler = new Sampler(VOCAB);

/** Logits after each context of up to two tokens. */
const table = new Map<string, Float32Array>();
const logitsAfter = (context: readonly number[]): Float32Array => {
  const key = context.join();
  const known = table.get(key) ?? seededFloats(100 + table.size, VOCAB, 2);
  table.set(key, known);
  return known;
};

function probabilities(context: readonly number[]): number[] {
  const weights = [...logitsAfter(context)].map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight);
  return weights.map((weight) => weight / total);
}

/** Probability of every outcome, numbered in base 8. */
const law = Array.from({ length: VOCAB ** LENGTH }, (_, outcome) => {
  const tokens = [Math.floor(outcome / 64), Math.floor(outcome / 8) % 8, outcome % 8];
  return tokens.reduce((p, token, i) => p * probabilities(tokens.slice(0, i))[token]!, 1);
});

interface Tree {
  readonly tokens: readonly number[];
  readonly parents: readonly number[];
}
type Drafter = (context: readonly number[], draw: number) => Tree;
type Step = (tree: Tree, context: readonly number[], draw: number) => number[];

const draw = (context: readonly number[], u: number): number =>
  sampler.sample(logitsAfter(context), neutral, contextOf(), u);

/** The engine's rule. Row 0 is the anchor. */
const verified: Step = (tree, context, seed) => {
  const random = new RandomStream(seed, 0);
  const out = [...context];
  acceptDraft({ tokens: [0, ...tree.tokens], parents: [-1, ...tree.parents.map((p) => p + 1)] }, () => {
    out.push(draw(out, random.uniform(out.length)));
    return out.length < LENGTH ? out.at(-1) : undefined;
  });
  return out;
};

function counts(drafter: Drafter, step: Step, draws: number, firstSeed: number): number[] {
  const seen = new Array<number>(law.length).fill(0);
  for (let i = 0; i < draws; i++) {
    let tokens: number[] = [];
    while (tokens.length < LENGTH) tokens = step(drafter(tokens, firstSeed + i), tokens, firstSeed + i);
    seen[tokens[0]! * 64 + tokens[1]! * 8 + tokens[2]!]!++;
  }
  return seen;
}

const likeliest = (context: readonly number[]): number => {
  const p = probabilities(context);
  return p.indexOf(Math.max(...p));
};

const correct: Drafter = (context) => {
  const first = likeliest(context);
  return { tokens: [first, likeliest([...context, first].slice(0, 2))], parents: [-1, 0] };
};

const drafters: Readonly<Record<string, Drafter>> = {
  empty: () => ({ tokens: [], parents: [] }),
  correct,
  wrong: (context) => {
    const p = probabilities(context);
    return { tokens: [p.indexOf(Math.min(...p))], parents: [-1] };
  },
  branching: (context) => ({
    tokens: [0, 1, 2, 3, likeliest([...context, 0].slice(0, 2)), 5, 5],
    parents: [-1, -1, -1, -1, 0, 0, 1],
  }),
  'random per draw': (_, seed) => {
    const [a, b, c] = [...seededFloats(seed, 3)].map((value) => Math.floor(4 * (value + 1)));
    return { tokens: [a!, b!, c!], parents: [-1, 0, -1] };
  },
};

/** Mean total variation of a sample from the law itself. */
const expectedVariation = (draws: number): number =>
  law.reduce((sum, p) => sum + Math.sqrt((p * (1 - p)) / (2 * Math.PI * draws)), 0);

const variation = (seen: readonly number[], draws: number): number =>
  seen.reduce((sum, count, i) => sum + Math.abs(count / draws - law[i]!), 0) / 2;

describe('sampled tokens', () => {
  it.each(Object.entries(drafters))('follow the law of the model under a draft that is %s', (_, drafter) => {
    const draws = 200_000;
    const seen = counts(drafter, verified, draws, 1);
    expect(chiSquareP(seen, law, draws)).toBeGreaterThan(0.001);
    expect(variation(seen, draws)).toBeLessThan(1.2 * expectedVariation(draws));
  });

  it('give p-values that are uniform over 20 runs', () => {
    const draws = sized(10_000, 200_000);
    const pValues = Array.from({ length: 20 }, (_, run) =>
      chiSquareP(counts(drafters['random per draw']!, verified, draws, 1e6 * (run + 1)), law, draws),
    );
    expect(kolmogorovSmirnovP(pValues)).toBeGreaterThan(0.01);
  }, 600_000);

  it('are the same tokens for a seed, whatever is drafted', () => {
    const plain = counts(drafters.empty!, verified, 2000, 7);
    for (const drafter of Object.values(drafters)) {
      expect(counts(drafter, verified, 2000, 7)).toEqual(plain);
    }
  });

  it('would fail if a rejected token were drawn afresh (negative control)', () => {
    /** Compares a draw with the draft, and draws once more from the same row when they differ. */
    const redrawn: Step = (tree, context, seed) => {
      const random = new RandomStream(seed, 1);
      const drafted = tree.tokens[0]!;
      const position = 2 * context.length;
      const first = draw(context, random.uniform(position));
      return [...context, first === drafted ? drafted : draw(context, random.uniform(position + 1))];
    };
    const draws = 200_000;
    const seen = counts(correct, redrawn, draws, 1);
    expect(chiSquareP(seen, law, draws)).toBeLessThan(1e-6);
    expect(variation(seen, draws)).toBeGreaterThan(1.2 * expectedVariation(draws));
  }, 120_000);
});

describe('sampled tokens of a vocabulary of 2,048', () => {
  const size = 2048;
  const wide = new Sampler(size);
  const rows = new Map<number, Float32Array>();
  /** Logits after one token; −1 stands for the beginning. */
  const rowAfter = (token: number): Float32Array => {
    const row = rows.get(token) ?? seededFloats(5000 + token, size, 3);
    rows.set(token, row);
    return row;
  };
  const lawAfter = (token: number): Float64Array => {
    const weights = Float64Array.from(rowAfter(token), Math.exp);
    const total = weights.reduce((sum, weight) => sum + weight);
    return weights.map((weight) => weight / total);
  };
  const first = lawAfter(-1);
  const second = new Float64Array(size);
  for (const [token, p] of first.entries()) {
    for (const [next, q] of lawAfter(token).entries()) second[next]! += p * q;
  }

  /** The likeliest token, what is likeliest after it, and a wrong branch. */
  const best = (law: Float64Array) => law.indexOf(Math.max(...law));
  const tree = { tokens: [best(first), best(lawAfter(best(first))), 7], parents: [-1, 0, -1] };

  it('have the marginal laws of the first and of the second token', () => {
    const draws = sized(40_000, 200_000);
    const seen = [new Array<number>(size).fill(0), new Array<number>(size).fill(0)];
    for (let seed = 0; seed < draws; seed++) {
      const random = new RandomStream(seed, 0);
      const out: number[] = [];
      const choose = () => {
        out.push(wide.sample(rowAfter(out.at(-1) ?? -1), neutral, contextOf(), random.uniform(out.length)));
        return out.length < 2 ? out.at(-1) : undefined;
      };
      acceptDraft({ tokens: [0, ...tree.tokens], parents: [-1, ...tree.parents.map((p) => p + 1)] }, choose);
      if (out.length < 2) choose();
      for (const [i, token] of out.entries()) seen[i]![token]!++;
    }
    expect(chiSquareP(seen[0]!, [...first], draws)).toBeGreaterThan(0.001);
    expect(chiSquareP(seen[1]!, [...second], draws)).toBeGreaterThan(0.001);
  }, 600_000);
});
