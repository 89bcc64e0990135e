/** The reference checkpoints of `test/fixtures/checkpoints` and what transformers computed with them. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ReferenceCase {
  readonly prompt: readonly number[];
  /** Positions of the prompt whose logits are kept. */
  readonly rows: readonly number[];
  /** `[rows.length, vocabSize]` */
  readonly logits: Float32Array;
  readonly greedy: readonly number[];
}

export interface CheckpointFixture {
  readonly name: string;
  readonly folder: string;
  readonly vocabSize: number;
  readonly cases: readonly ReferenceCase[];
}

interface ExpectedFile {
  readonly vocabSize: number;
  readonly cases: readonly (Omit<ReferenceCase, 'logits'> & { readonly logitsOffset: number })[];
}

const root = fileURLToPath(new URL('../fixtures/checkpoints', import.meta.url));

export const checkpointFixtureNames: readonly string[] = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

export function loadCheckpointFixture(name: string): CheckpointFixture {
  const folder = join(root, name);
  const { vocabSize, cases } = JSON.parse(
    readFileSync(join(folder, 'expected.json'), 'utf8'),
  ) as ExpectedFile;
  const bytes = readFileSync(join(folder, 'logits.f32'));
  const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const withLogits = cases.map(({ logitsOffset, ...rest }) => ({
    ...rest,
    logits: all.subarray(logitsOffset, logitsOffset + rest.rows.length * vocabSize),
  }));
  return { name, folder, vocabSize, cases: withLogits };
}
