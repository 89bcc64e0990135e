/**
 * What steps cost, kept on disk for the next start on the same machine. A file that cannot be read or is of another
 * machine, model or runtime counts for nothing: costs are measured again.
 */

import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { StepTiming } from './cost-model.js';

const MAX_BYTES = 65_536;

const costFile = z.strictObject({
  version: z.literal(1),
  machine: z.string(),
  timings: z
    .array(
      z.strictObject({
        rows: z.int().min(1).max(4096),
        context: z.int().min(0),
        ms: z.number().positive().max(3_600_000),
      }),
    )
    .min(2)
    .max(256),
});

export const costFileName = (machine: string): string =>
  `${createHash('sha256').update(machine).digest('hex').slice(0, 32)}.costs.json`;

/** `machine` names everything that timings depend on. Undefined if there is nothing to be used. */
export function readCosts(path: string, machine: string): readonly StepTiming[] | undefined {
  try {
    if (statSync(path).size > MAX_BYTES) return undefined;
    const known = costFile.parse(JSON.parse(readFileSync(path, 'utf8')));
    return known.machine === machine ? known.timings : undefined;
  } catch {
    return undefined;
  }
}

/** Under another name first, so that readers only ever see whole files. */
export function writeCosts(path: string, machine: string, timings: readonly StepTiming[]): void {
  const temporary = `${path}.${randomUUID()}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(temporary, JSON.stringify({ version: 1, machine, timings }));
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}
