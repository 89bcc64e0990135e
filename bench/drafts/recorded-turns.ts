/**
 * Recorded answers as token ids: the prompt of each turn and the answer that a model once gave to it, greedily.
 * The files are public (MT-Bench and the answers of Vicuna-7B-v1.5 to it) and are not part of the repository.
 */

import { readFileSync } from 'node:fs';

export interface RecordedTurn {
  /** Number of the question, where they are numbered. */
  readonly question?: number;
  readonly category: string;
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
  /** A guess at the answer, as a caller would send it. */
  readonly prediction?: readonly number[];
}

interface RecordedAnswer {
  readonly category: string;
  readonly question_id: number;
  readonly choices: readonly { readonly turns: readonly string[] }[];
}

const SYSTEM =
  'A chat between a curious user and an artificial intelligence assistant. ' +
  "The assistant gives helpful, detailed, and polite answers to the user's questions.";

export type Encode = (text: string) => readonly number[];

/** Turns in the order of the questions; `questions` and `answers` are paths of JSON lines. */
export function readRecordedTurns(questions: string, answers: string, encode: Encode): RecordedTurn[] {
  const asked = new Map(
    jsonLines<{ question_id: number; turns: string[] }>(questions).map((line) => [
      line.question_id,
      line.turns,
    ]),
  );
  return jsonLines<RecordedAnswer>(answers).flatMap(({ category, question_id, choices }) => {
    let dialogue = SYSTEM;
    return choices[0]!.turns.map((answer, turn): RecordedTurn => {
      dialogue += ` USER: ${asked.get(question_id)![turn]} ASSISTANT:`;
      const recorded = {
        question: question_id,
        category,
        prompt: encode(dialogue),
        answer: encode(answer),
      };
      dialogue += ` ${answer}</s>`;
      return recorded;
    });
  });
}

function jsonLines<Line>(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Line);
}
