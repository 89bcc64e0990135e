/**
 * Downloads the public prompt sets to `bench/.work/prompts`, with a checksum each: `tsx bench/prompts/fetch.ts`. They
 * belong to their authors (MT-Bench and the recorded answers Apache-2.0, HumanEval and GSM8K MIT) and are not
 * committed.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

interface PromptSet {
  readonly file: string;
  readonly url: string;
  /** Of the file as it is kept. */
  readonly sha256: string;
  /** What is kept of what came. */
  keep?(bytes: Buffer): Buffer;
}

const raw = 'https://raw.githubusercontent.com';
const firstLines = (count: number) => (bytes: Buffer) =>
  Buffer.from(`${bytes.toString('utf8').split('\n').slice(0, count).join('\n')}\n`);

const sets: readonly PromptSet[] = [
  {
    file: 'mt-bench.jsonl',
    url: `${raw}/lm-sys/FastChat/main/fastchat/llm_judge/data/mt_bench/question.jsonl`,
    sha256: '119565adbab82227089cefdb44c8d7e2cf04dc0a0ec233634c82e7d4e2a944f7',
  },
  {
    file: 'humaneval.jsonl',
    url: `${raw}/openai/human-eval/master/data/HumanEval.jsonl.gz`,
    sha256: '1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2',
    keep: (bytes) => gunzipSync(bytes, { maxOutputLength: 16 * 2 ** 20 }),
  },
  {
    file: 'gsm8k-100.jsonl',
    url: `${raw}/openai/grade-school-math/master/grade_school_math/data/test.jsonl`,
    sha256: '1d266ea030421507ae8e9434bd76a7830553081c0f3d002250c429357b21ff90',
    keep: firstLines(100),
  },
];

const folder = join(import.meta.dirname, '../.work/prompts');
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (!response.ok || response.body === null) throw new Error(`${url}: status ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    parts.push(part);
    bytes += part.length;
    process.stderr.write(`\r${(bytes / 1024).toFixed(0)} KiB `);
  }
  process.stderr.write('\r');
  return Buffer.concat(parts);
}

async function fetchSet({ file, url, sha256: expected, keep = (bytes) => bytes }: PromptSet): Promise<void> {
  const path = join(folder, file);
  if (existsSync(path) && sha256(readFileSync(path)) === expected) {
    console.log(`${file} is there`);
    return;
  }
  const bytes = keep(await download(url));
  const found = sha256(bytes);
  if (found !== expected) throw new Error(`${file}: expected sha256 ${expected}, found ${found}`);
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
  console.log(`${file}: ${bytes.length} bytes`);
}

mkdirSync(folder, { recursive: true });
for (const set of sets) await fetchSet(set);
