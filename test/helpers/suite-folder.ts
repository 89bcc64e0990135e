/** Temporary folders for a whole test file or `describe` block. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Call it while tests are collected; the folder goes when the tests around it have run. */
export function suiteFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trimtab-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
