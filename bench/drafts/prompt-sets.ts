/**
 * Prompt sets as questions in categories. Files are told apart by what their lines hold: the sets of this
 * repository (`messages`), MT-Bench (`turns`), HumanEval (`prompt`), GSM8K (`question`), or the evaluation sets of
 * nano, which are one JSON object with `items`.
 */

import { readFileSync } from 'node:fs';
import type { ChatMessage } from '../../src/core/messages.js';

export interface Question {
  readonly category: string;
  readonly messages: readonly ChatMessage[];
}

const user = (content: string): ChatMessage[] => [{ role: 'user', content }];

interface Line {
  readonly category?: string;
  readonly task?: string;
  readonly messages?: readonly ChatMessage[];
  readonly turns?: readonly string[];
  readonly prompt?: string;
  readonly question?: string;
}

/** At most `limit` questions, spread over the file. */
export function readQuestions(path: string, limit: number): Question[] {
  const text = readFileSync(path, 'utf8');
  const lines: readonly Line[] = path.endsWith('.json')
    ? JSON.parse(text).items
    : text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [JSON.parse(line)]));
  const questions = lines.map(questionOf);
  const stride = Math.max(1, questions.length / limit);
  return Array.from(
    { length: Math.min(limit, questions.length) },
    (_, i) => questions[Math.floor(i * stride)]!,
  );
}

function questionOf({ category, task, messages, turns, prompt, question }: Line): Question {
  if (messages !== undefined) return { category: category ?? task ?? 'chat', messages };
  if (turns !== undefined) return { category: category ?? 'mt-bench', messages: user(turns[0]!) };
  if (question !== undefined) return { category: 'gsm8k', messages: user(question) };
  if (prompt !== undefined)
    return { category: 'humaneval', messages: user(`Complete this function:\n\n${prompt}`) };
  throw new Error('a line without messages, turns, question or prompt');
}
