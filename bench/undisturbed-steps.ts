/**
 * Speed-ups from the steps that `draft-recorded.ts --steps <file>` kept, on a machine that had other things to do: every
 * step counts as long as the quickest tenth of steps of its rows, whoever ran them, and every gap between two steps as
 * long as the quickest tenth of that way of drafting at those rows. `tsx undisturbed-steps.ts <file>`
 */

import { readFileSync } from 'node:fs';
import { median, quantile } from './statistics.js';
import { formatTable } from './table.js';

interface Step {
  readonly condition: string;
  readonly method: string;
  /** Sequences in the step, each of which gives a token besides those accepted. */
  readonly lanes: number;
  readonly n: number;
  readonly accepted: number;
  readonly ms: number;
  readonly gapMs: number | null;
}

const UNDISTURBED = 0.1;

const steps = readFileSync(process.argv[2]!, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Step)
  .filter(({ condition }) => condition !== 'warm-up');

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}

const quickest = (values: readonly number[]): number =>
  values.length === 0 ? 0 : quantile(values, UNDISTURBED);
const stepMs = new Map(
  [...grouped(steps, ({ n }) => `${n}`)].map(([n, of]) => [n, quickest(of.map(({ ms }) => ms))]),
);
const wayOf = ({ method, n }: Step) => `${method} ${n}`;
const gapMs = new Map(
  [...grouped(steps, wayOf)].map(([way, of]) => [way, quickest(of.flatMap((step) => step.gapMs ?? []))]),
);

function speeds(of: readonly Step[]) {
  const tokens = of.reduce((sum, { lanes, accepted }) => sum + lanes + accepted, 0);
  const total = (msOf: (step: Step) => number) => of.reduce((sum, step) => sum + msOf(step), 0);
  return {
    tokensPerStep: tokens / total(({ lanes }) => lanes),
    rows: total(({ n }) => n) / of.length,
    measured: tokens / total(({ ms, gapMs }) => ms + (gapMs ?? 0)),
    undisturbed: tokens / total((step) => stepMs.get(`${step.n}`)! + gapMs.get(wayOf(step))!),
    gap: median(of.flatMap((step) => step.gapMs ?? [])),
  };
}

const figures = [...grouped(steps, ({ condition }) => condition)].flatMap(([condition, asked]) => {
  const ways = grouped(asked, ({ method }) => method);
  const plain = speeds(ways.get('plain')!);
  return [...ways].map(([method, of]) => {
    const own = speeds(of);
    return {
      name: `${method}, ${condition}`,
      ...own,
      measured: own.measured / plain.measured,
      undisturbed: own.undisturbed / plain.undisturbed,
    };
  });
});
console.log(
  formatTable(
    ['steps', 'undisturbed', 'as measured', 'tokens/step', 'rows', 'gap µs'],
    figures.map(({ name, undisturbed, measured, tokensPerStep, rows, gap }) => [
      name,
      ...[undisturbed, measured, tokensPerStep, rows].map((value) => value.toFixed(2)),
      (1000 * gap).toFixed(0),
    ]),
  ),
);
console.log(JSON.stringify({ bench: 'undisturbed-steps', figures }));
