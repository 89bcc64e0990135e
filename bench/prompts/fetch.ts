/**
 * Downloads the public prompt sets to `bench/.work/prompts`, with a checksum each: `tsx bench/prompts/fetch.ts`. What is
 * there already stays; what fails is told at the end, and the next run fetches only that. `--from <url>` names a mirror in
 * place of GitHub, `--to <folder>` another folder. The sets belong to their authors (MT-Bench and the recorded answers
 * Apache-2.0, HumanEval and GSM8K MIT) and are not committed.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';

interface PromptSet {
  readonly file: string;
  /** On the host: repository, branch and place in it. */
  readonly path: string;
  /** Of the file as it is kept. */
  readonly sha256: string;
  /** What is kept of what came. */
  keep?(bytes: Buffer): Buffer;
}

const firstLines = (count: number) => (bytes: Buffer) =>
  Buffer.from(`${bytes.toString('utf8').split('\n').slice(0, count).join('\n')}\n`);

const sets: readonly PromptSet[] = [
  {
    file: 'mt-bench.jsonl',
    path: 'lm-sys/FastChat/main/fastchat/llm_judge/data/mt_bench/question.jsonl',
    sha256: '119565adbab82227089cefdb44c8d7e2cf04dc0a0ec233634c82e7d4e2a944f7',
  },
  {
    file: 'vicuna-7b-v1.5-mt-bench.jsonl',
    path: 'FasterDecoding/REST/main/llm_judge/data/mt_bench/model_answer/baseline-vicuna-7b-v1.5-temperature-0.0-top_p-0.jsonl',
    sha256: '126a2cd49314c8a1d8f247043ff8e2926764601ae5fff1be39f6458c348c7fe2',
  },
  {
    file: 'humaneval.jsonl',
    path: 'openai/human-eval/master/data/HumanEval.jsonl.gz',
    sha256: '1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2',
    keep: (bytes) => gunzipSync(bytes, { maxOutputLength: 16 * 2 ** 20 }),
  },
  {
    file: 'gsm8k-100.jsonl',
    path: 'openai/grade-school-math/master/grade_school_math/data/test.jsonl',
    sha256: '1d266ea030421507ae8e9434bd76a7830553081c0f3d002250c429357b21ff90',
    keep: firstLines(100),
  },
];

/** Without a byte for so long a download is given up. */
const SILENCE_MS = 60_000;

const { values: flags } = parseArgs({
  options: {
    from: { type: 'string', default: 'https://raw.githubusercontent.com' },
    to: { type: 'string', default: join(import.meta.dirname, '../.work/prompts') },
  },
});
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

async function fetchSet({ file, path, sha256: expected, keep = (bytes) => bytes }: PromptSet): Promise<void> {
  const place = join(flags.to, file);
  if (existsSync(place) && sha256(readFileSync(place)) === expected) {
    console.log(`${file}: is there`);
    return;
  }
  const bytes = keep(await download(`${flags.from.replace(/\/$/, '')}/${path}`, file));
  const found = sha256(bytes);
  if (found !== expected) throw new Error(`expected sha256 ${expected}, found ${found}; nothing was kept`);
  writeFileSync(`${place}.part`, bytes);
  renameSync(`${place}.part`, place);
  console.log(`${file}: ${bytes.length} bytes`);
}

/** Throws with what came and what was expected when the connection breaks. */
async function download(url: string, file: string): Promise<Buffer> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    const response = await fetch(url, { signal: silence.signal });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    for await (const part of response.body) {
      timer.refresh();
      parts.push(part);
      bytes += part.length;
      if (process.stderr.isTTY) process.stderr.write(`\r${file} ${(bytes / 1024).toFixed(0)} KiB \r`);
    }
    return Buffer.concat(parts);
  } catch (error) {
    const why = silence.signal.aborted ? `nothing came for ${SILENCE_MS / 1000} s` : reasonOf(error);
    throw new Error(`${url}: ${why}, after ${bytes} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** Of `fetch` the cause says what happened. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message || String(cause) : message;
}

mkdirSync(flags.to, { recursive: true });
for (const set of sets) {
  try {
    await fetchSet(set);
  } catch (error) {
    console.error(`${set.file}: ${reasonOf(error)}`);
    process.exitCode = 1;
  }
}
