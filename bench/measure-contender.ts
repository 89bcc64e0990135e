/** Measures one contender in a process of its own and sends its figures to the parent, several samples each. */

import type { Contender } from './contenders/contender.js';
import { type ContenderName, contenders } from './contenders/registry.js';
import { type ModelName, shapes } from './shapes.js';

export interface MeasurePlan {
  readonly contender: ContenderName;
  readonly model: ModelName;
  /** Only the first start, after everything that the engine compiled has been deleted. */
  readonly cold: boolean;
  /** Prompt lengths, and how often each is prefilled. */
  readonly prompts: readonly { readonly tokens: number; readonly repeats: number }[];
  readonly sequences: readonly number[];
  readonly decodeSteps: number;
}

/** Name of a figure, ending in its unit, → samples. */
export type Figures = Record<string, number[]>;
type Note = (name: string, value: number) => void;

export async function measure(plan: MeasurePlan): Promise<Figures> {
  const figures: Figures = {};
  const note: Note = (name, value) => {
    figures[name] ??= [];
    figures[name].push(value);
  };
  const contender = await contenders[plan.contender](plan.model);
  const measureStart = plan.cold ? measureColdStart : measureWarm;
  await measureStart(contender, plan, note);
  await contender.close();
  return figures;
}

/** Figures of the first start; none for an engine that compiles nothing. */
async function measureColdStart(contender: Contender, plan: MeasurePlan, note: Note): Promise<void> {
  if (!contender.forget) return;
  await contender.forget();
  note('start cold, ms', await milliseconds(() => contender.load(roomFor(plan))));
  note('peak memory of a cold start, MiB', peakMebibytes(contender));
}

async function measureWarm(contender: Contender, plan: MeasurePlan, note: Note): Promise<void> {
  note('start warm, ms', await milliseconds(() => contender.load(roomFor(plan))));
  await contender.prefill(randomPrompt(plan.model, 16));
  for (const { tokens, repeats } of plan.prompts) {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const elapsed = await milliseconds(() => contender.prefill(randomPrompt(plan.model, tokens)));
      note(`first token after ${tokens}, ms`, elapsed);
      note(`prefill ${tokens}, tokens/s`, (1000 * tokens) / elapsed);
    }
    for (const sequences of plan.sequences) {
      const steps = await contender.decode(sequences, plan.decodeSteps);
      for (const step of steps) note(`decode ${sequences} × ${tokens}, tokens/s`, (1000 * sequences) / step);
    }
  }
  note('peak memory, MiB', peakMebibytes(contender));
}

function roomFor({ sequences, prompts, decodeSteps }: MeasurePlan) {
  const longest = Math.max(...prompts.map(({ tokens }) => tokens));
  return { sequences: Math.max(...sequences), tokens: longest + decodeSteps + 2 };
}

async function milliseconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const peakMebibytes = (contender: Contender): number =>
  contender.peakMebibytes?.() ?? process.resourceUsage().maxRSS / 1024;

/** The same ids for every contender, spread over the vocabulary. */
function randomPrompt(model: ModelName, tokens: number): number[] {
  return Array.from({ length: tokens }, (_, index) => (index * 7919 + 13) % (shapes[model].vocab - 1));
}

if (process.argv[1] === import.meta.filename) {
  const figures = await measure(JSON.parse(process.argv[2]!) as MeasurePlan);
  if (process.send) process.send(figures, () => process.exit(0));
  else console.log(figures);
}
