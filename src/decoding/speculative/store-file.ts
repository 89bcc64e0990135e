/**
 * What drafting remembers of one scope, on disk. A file is either whole and of this version and scope, or it is
 * ignored: nothing depends on it but speed.
 *
 *   magic, version, scope hash, rows, history length │ keys tokens counts recycled used │ history │ sha-256
 */

import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ScopeStore } from './draft-stores.js';
import { SuffixIndex } from './suffix-index.js';
import { BYTES_PER_ROW, emptyTables, TrigramStore, type TrigramTables } from './trigram-store.js';

const MAGIC = 'TTDRAFT1';
const HEADER_BYTES = 48;
const CHECKSUM_BYTES = 32;
/** A larger file was not written by this program. */
const MAX_BYTES = 4 * 2 ** 30;

export function storeFileName(scope: string): string {
  return `${createHash('sha256').update(scope).digest('hex').slice(0, 32)}.drafts`;
}

/** Under another name first, so that readers only ever see whole files. */
export function writeStore(
  path: string,
  scope: string,
  { trigrams, history }: Pick<ScopeStore, 'trigrams' | 'history'>,
): void {
  const tables = trigrams.tables;
  const tokens = history.contents();
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  scopeHash(scope).copy(header, 8, 0, 24);
  header.writeUInt32LE(tables.used.length, 32);
  header.writeUInt32LE(tokens.length, 36);
  const parts = [header, ...arraysOf(tables).map(bytesOf), bytesOf(tokens)];
  const temporary = `${path}.${randomUUID()}`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(temporary, Buffer.concat([...parts, checksum(parts)]));
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Undefined if there is no file; throws an error that says what is wrong with one that cannot be used, and calls its
 * scope by the given name.
 */
export function readStore(
  path: string,
  scope: string,
  limits: { readonly trigramBytes: number; readonly historyTokens: number },
  scopeName = 'scope',
): ScopeStore | undefined {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  if (facts.size < HEADER_BYTES + CHECKSUM_BYTES || facts.size > MAX_BYTES) throw damaged(path, 'its size');
  const file = readFileSync(path);
  const body = file.subarray(0, file.length - CHECKSUM_BYTES);
  if (body.toString('latin1', 0, 8) !== MAGIC) throw damaged(path, 'its version');
  if (!body.subarray(8, 32).equals(scopeHash(scope).subarray(0, 24))) throw damaged(path, `its ${scopeName}`);
  if (!checksum([body]).equals(file.subarray(body.length))) throw damaged(path, 'its checksum');
  const reader = new Reader(body.subarray(HEADER_BYTES));
  const rows = body.readUInt32LE(32);
  if (!isTableSize(rows) || rows * BYTES_PER_ROW > limits.trigramBytes)
    throw damaged(path, 'its number of rows');
  const tables = emptyTables(rows);
  for (const array of arraysOf(tables)) reader.fill(array);
  const tokens = new Int32Array(body.readUInt32LE(36));
  reader.fill(tokens);
  if (!reader.isAtEnd) throw damaged(path, 'its length');
  const history = new SuffixIndex(limits.historyTokens);
  history.append([...tokens.subarray(Math.max(0, tokens.length - limits.historyTokens))]);
  return { trigrams: new TrigramStore(limits.trigramBytes, tables), history, dirty: false };
}

/** Deletes the files that were not written for longest until the rest is within `bytes`. */
export function pruneStores(folder: string, bytes: number): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.drafts'))
    .map((name) => ({ path: join(folder, name), ...fileFacts(join(folder, name)) }))
    .sort((a, b) => b.mtimeMs - a.mtimeMs);
  let total = 0;
  for (const { path, size } of files) {
    total += size;
    if (total > bytes) rmSync(path, { force: true });
  }
}

/** Another process may have deleted it meanwhile. */
function fileFacts(path: string): { readonly mtimeMs: number; readonly size: number } {
  return statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 };
}

type FlatArray = Int32Array | Uint16Array | Uint8Array;

function arraysOf({ keys, tokens, counts, recycled, used }: TrigramTables): FlatArray[] {
  return [keys, tokens, counts, recycled, used];
}

class Reader {
  #at = 0;
  constructor(private readonly bytes: Buffer) {}

  get isAtEnd(): boolean {
    return this.#at === this.bytes.length;
  }

  fill(array: FlatArray): void {
    const target = bytesOf(array);
    this.#at += this.bytes.copy(target, 0, this.#at, this.#at + target.length);
  }
}

const bytesOf = (array: FlatArray): Buffer => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Powers of two from the smallest table on. */
const isTableSize = (rows: number): boolean => rows >= 1024 && rows <= 2 ** 24 && (rows & (rows - 1)) === 0;

const scopeHash = (scope: string): Buffer => createHash('sha256').update(scope).digest();

function checksum(parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function damaged(path: string, what: string): Error {
  return new Error(`${path} is not used: ${what} is not what was expected`);
}
