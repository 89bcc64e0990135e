/** What a set of questions lost, as tables: over all of them, and task by task. */

import { formatTable } from '../table.js';
import { lossOf, mean, type Result } from './measure.js';
import type { Question } from './questions.js';

export const points = (share: number): string => (100 * share).toFixed(1);

/** The first result is that with all tokens. */
export function lossTable(name: string, results: readonly Result[]): string {
  const dense = results[0]!;
  return formatTable(
    [name, 'tokens', 'right %', 'lost', '±', 'fewer operations'],
    results.map((result) => {
      const { loss, error } = lossOf(result, dense);
      const setting = `${result.keep} ${result.keep === 1 ? 'all' : result.reducer}${result.pruned ? ', pruned' : ''}`;
      const fewer = `${(dense.flops / result.flops).toFixed(2)}×`;
      return [setting, String(result.tokens), points(mean(result.right)), points(loss), points(error), fewer];
    }),
  );
}

/** Right answers of each task, in percent, with or without pruning. */
export function taskTable(
  questions: readonly Question[],
  results: readonly Result[],
  isPruned: boolean,
): string {
  const columns = results.filter(({ pruned }) => pruned === isPruned);
  const tasks = [...new Set(questions.map(({ task }) => task))].sort();
  const ofTask = ({ right }: Result, task: string) =>
    mean(right.filter((_, i) => questions[i]!.task === task));
  return formatTable(
    [
      isPruned ? 'pruned' : 'task',
      ...columns.map(({ keep, reducer }) => (keep === 1 ? 'all' : `${keep} ${reducer}`)),
    ],
    tasks.map((task) => [task, ...columns.map((result) => points(ofTask(result, task)))]),
  );
}
