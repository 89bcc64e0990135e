/** What a way of drafting is worth, from rounds of answers that were given plainly and with drafts in turn. */

import { RandomStream } from '../../src/decoding/random.js';
import { median, quantile } from '../statistics.js';
import type { Answer, Round } from './answers.js';

export interface Pair {
  readonly category: string;
  readonly plain: Round;
  readonly drafted: Round;
}

export interface Figures {
  readonly rounds: number;
  /** Mean tokens per second with drafts over mean tokens per second without, as Spec-Bench has it. */
  readonly speedUp: number;
  /** Of all tokens over all of the time. */
  readonly overall: number;
  /** Of the ratios of each round, and the interval that holds it in 95 of 100 resamplings of the rounds. */
  readonly geometricMean: number;
  readonly interval: readonly [low: number, high: number];
  readonly tokens: number;
  /** Tokens a step behind the first token, over all steps; plain decoding is 1. */
  readonly tokensPerStep: number;
  /** Rows a step, filling rows not counted. */
  readonly rows: number;
  readonly plainSteps: number;
  /** Of the steps that verified a draft, how many accepted a token at depth 1, 2, … */
  readonly acceptance: readonly number[];
  readonly draftMicroseconds: number;
  readonly firstTokenMs: number;
  readonly plainFirstTokenMs: number;
  /** Answers whose text is not that of plain decoding. */
  readonly differing: number;
}

const RESAMPLINGS = 2000;
const SHOWN_DEPTHS = 8;

/** Rounds with an answer of a single token have no speed and do not count. */
export function figuresOf(all: readonly Pair[]): Figures {
  const pairs = all.filter((pair) => [pair.plain, pair.drafted].every(hasSpeed));
  const drafted = pairs.flatMap((pair) => pair.drafted.answers);
  const plain = pairs.flatMap((pair) => pair.plain.answers);
  const ratios = pairs.map((pair) => speedOf(pair.drafted) / speedOf(pair.plain));
  const steps = sum(drafted, stepsOf);
  const draftedSteps = sum(drafted, ({ drafts }) => drafts?.draftedSteps ?? 0);
  return {
    rounds: pairs.length,
    speedUp: sum(pairs, (pair) => speedOf(pair.drafted)) / sum(pairs, (pair) => speedOf(pair.plain)),
    overall: overallSpeed(pairs.map((pair) => pair.drafted)) / overallSpeed(pairs.map((pair) => pair.plain)),
    geometricMean: geometricMean(ratios),
    interval: bootstrap(ratios),
    tokens: sum(drafted, ({ tokens }) => tokens),
    tokensPerStep: sum(drafted, tokensBehind) / steps,
    rows: 1 + sum(drafted, ({ drafts }) => drafts?.draftedTokens ?? 0) / steps,
    plainSteps: 1 - draftedSteps / steps,
    acceptance: Array.from(
      { length: SHOWN_DEPTHS },
      (_, depth) => sum(drafted, ({ drafts }) => drafts?.acceptedByDepth[depth] ?? 0) / (draftedSteps || 1),
    ),
    draftMicroseconds: (1000 * sum(drafted, ({ drafts }) => drafts?.draftMs ?? 0)) / steps,
    firstTokenMs: median(drafted.map(({ firstTokenMs }) => firstTokenMs)),
    plainFirstTokenMs: median(plain.map(({ firstTokenMs }) => firstTokenMs)),
    differing: sum(drafted, ({ text }, i) => (text === plain[i]!.text ? 0 : 1)),
  };
}

/** Speed-up and tokens a step of each category. */
export function speedUps(pairs: readonly Pair[]): Record<string, Pick<Figures, 'speedUp' | 'tokensPerStep'>> {
  const categories = [...new Set(pairs.map(({ category }) => category))];
  return Object.fromEntries(
    categories.map((category) => {
      const { speedUp, tokensPerStep } = figuresOf(pairs.filter((pair) => pair.category === category));
      return [category, { speedUp, tokensPerStep }];
    }),
  );
}

export const figureTitles = [
  'speed-up',
  'overall',
  'geometric mean',
  'categories',
  'tokens/step',
  'rows',
  'plain steps',
  'draft µs',
  'first token ms',
  'differing',
] as const;

export function figureCells(pairs: readonly Pair[]): string[] {
  const all = figuresOf(pairs);
  const categories = Object.values(speedUps(pairs)).map(({ speedUp }) => speedUp);
  const range = `${Math.min(...categories).toFixed(2)} – ${Math.max(...categories).toFixed(2)}`;
  return [
    all.speedUp.toFixed(3),
    all.overall.toFixed(3),
    `${all.geometricMean.toFixed(3)} [${all.interval.map((end) => end.toFixed(2)).join(', ')}]`,
    categories.length < 2 ? '' : range,
    all.tokensPerStep.toFixed(2),
    all.rows.toFixed(2),
    `${(100 * all.plainSteps).toFixed(0)} %`,
    all.draftMicroseconds.toFixed(0),
    `${all.firstTokenMs.toFixed(0)} (${all.plainFirstTokenMs.toFixed(0)})`,
    `${all.differing}`,
  ];
}

const hasSpeed = ({ answers }: Round): boolean => answers.every(({ tokens }) => tokens > 1);

/** Tokens per millisecond. */
const speedOf = (round: Round): number => overallSpeed([round]);

function overallSpeed(rounds: readonly Round[]): number {
  return sum(rounds, ({ answers }) => sum(answers, tokensBehind)) / sum(rounds, timeOf);
}

const tokensBehind = ({ tokens }: Answer): number => tokens - 1;

/** Of one answer while it decodes, of several together everything that they took. */
function timeOf({ answers, wallMs }: Round): number {
  return answers.length === 1 ? answers[0]!.decodeMs : wallMs;
}

function stepsOf({ tokens, drafts }: Answer): number {
  return drafts === undefined ? tokens - 1 : drafts.draftedSteps + drafts.plainSteps;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(sum(values, Math.log) / values.length);
}

/** Seeded, so that the same rounds have the same interval. */
function bootstrap(ratios: readonly number[]): [number, number] {
  const means = Array.from({ length: RESAMPLINGS }, (_, resampling) => {
    const random = new RandomStream(1, resampling);
    return geometricMean(ratios.map((_, i) => ratios[Math.floor(random.uniform(i) * ratios.length)]!));
  });
  return [quantile(means, 0.025), quantile(means, 0.975)];
}

function sum<T>(items: readonly T[], of: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + of(item, index), 0);
}
