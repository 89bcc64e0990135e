/**
 * The content hash of a checkpoint. Hashing gigabytes takes seconds, so the hash of a file is remembered under
 * its path, size and modification time; a file that changed in any of these is read again.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';

const chunkBytes = 8 << 20;

/** Equal for equal `config.json` and weights, wherever they lie. 64 hexadecimal digits. */
export function checkpointFingerprint(checkpoint: Checkpoint, cacheFolder: string): string {
  const memo = new HashMemo(join(cacheFolder, 'hashes.json'));
  const files = [...checkpoint.weightFiles].sort();
  const digest = createHash('sha256').update(JSON.stringify(checkpoint.config));
  for (const file of files) digest.update(`${basename(file)}:${memo.hashOf(file)};`);
  memo.save();
  return digest.digest('hex');
}

class HashMemo {
  readonly #path: string;
  readonly #entries: Map<string, string>;
  #isDirty = false;

  constructor(path: string) {
    this.#path = path;
    this.#entries = new Map(Object.entries(readMemo(path)));
  }

  hashOf(file: string): string {
    const { size, mtimeMs, ino } = statSync(file);
    const key = `${file}|${size}|${mtimeMs}|${ino}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const hash = hashFile(file);
    this.#entries.set(key, hash);
    this.#isDirty = true;
    return hash;
  }

  /** Where nothing can be written, the next start hashes again. */
  save(): void {
    if (!this.#isDirty) return;
    const temporary = `${this.#path}.${randomUUID()}`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(temporary, JSON.stringify(Object.fromEntries([...this.#entries].slice(-1000))));
      renameSync(temporary, this.#path);
    } catch {
      // A full disk may have taken part of it.
      rmSync(temporary, { force: true });
    }
  }
}

/** A damaged memo costs a second of hashing, never an error. */
function readMemo(path: string): Record<string, string> {
  if (!existsSync(path)) return {};
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}

function hashFile(file: string): string {
  const digest = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const fd = openSync(file, 'r');
  try {
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer))
      digest.update(buffer.subarray(0, read));
  } finally {
    closeSync(fd);
  }
  return digest.digest('hex');
}
