import type { DraftSourceName } from '../../src/core/efficiency.js';
import type { StepTiming } from '../../src/decoding/speculative/cost-model.js';
import { countPairs } from '../../src/decoding/speculative/sources/ngram-source.js';
import { TrigramStore } from '../../src/decoding/speculative/trigram-store.js';
import type { RecordedTurn } from './recorded-turns.js';
import { adaptive, type ReplayDrafter } from './replay.js';

/**
 * Questions with even numbers by themselves and odd ones by themselves, everything cold. With a corpus, each half has
 * the answers to the other one.
 */
export function inHalves(
  timings: readonly StepTiming[],
  sources: readonly DraftSourceName[],
  turns: readonly RecordedTurn[],
  withCorpus: boolean,
): ReplayDrafter {
  const drafters = [0, 1].map((half) => {
    const others = turns.filter((turn) => halfOf(turn) !== half);
    return adaptive(timings, sources, withCorpus ? { corpus: corpusOf(others) } : {});
  });
  return (turn) => drafters[halfOf(turn)]!(turn);
}

const halfOf = ({ question = 0 }: RecordedTurn): number => question % 2;

function corpusOf(turns: readonly RecordedTurn[]): TrigramStore {
  const trigrams = new TrigramStore(64 * 2 ** 20);
  for (const { answer } of turns) countPairs(trigrams, answer);
  return trigrams;
}
