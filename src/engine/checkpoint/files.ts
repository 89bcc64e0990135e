/**
 * Reading files of a checkpoint folder with suspicion: names stay inside the folder, only regular files are
 * opened, sizes are bounded before memory is spent, and every error names the file.
 */

import { closeSync, existsSync, openSync, readFileSync, readSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import { TrimtabError } from '../../core/errors.js';
import { parseStrictJson } from './strict-json.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function invalidCheckpoint(file: string, problem: string, cause?: unknown): TrimtabError {
  return new TrimtabError('invalid_checkpoint', `${file}: ${problem}`, { param: file, cause });
}

export function unsupportedModel(file: string, problem: string): TrimtabError {
  return new TrimtabError('unsupported_model', `${file}: ${problem}`, { param: file });
}

/** The path of `name` in `folder`; an error if the name, or a link behind it, leaves the folder. */
export function pathInside(folder: string, name: string): string {
  const path = join(folder, name);
  const climbs = isAbsolute(name) || /[\\\0]/.test(name) || name.split('/').includes('..');
  if (climbs || name === '') {
    throw invalidCheckpoint(folder, `the file name ${JSON.stringify(name)} leaves the checkpoint folder`);
  }
  if (existsSync(path)) refuseOutsideLink(folder, path);
  return path;
}

/** Links may point inside the folder or, in the cache layout of the hub, from `snapshots/<revision>` to `blobs`. */
function refuseOutsideLink(folder: string, path: string): void {
  const home = realpathSync(folder);
  const target = realpathSync(path);
  const snapshots = dirname(home);
  const inBlobs = basename(snapshots) === 'snapshots' && contains(join(dirname(snapshots), 'blobs'), target);
  if (!inBlobs && !contains(home, target)) {
    throw invalidCheckpoint(path, `is a link that leaves the checkpoint folder, to ${target}`);
  }
}

function contains(folder: string, path: string): boolean {
  const route = relative(folder, path);
  return route !== '' && route !== '..' && !route.startsWith(`..${sep}`) && !isAbsolute(route);
}

/** Turns the error codes of the system (EACCES, ENAMETOOLONG, …) into errors that name the file. */
function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalidCheckpoint(path, `cannot be read: ${(cause as Error).message}`, cause);
  }
}

export function openForReading(path: string): number {
  return readable(path, () => openSync(path, 'r'));
}

/** Size in bytes of a regular file; anything else (missing, folder, pipe, device) is an error. */
export function fileSize(path: string): number {
  const stat = readable(path, () => statSync(path, { throwIfNoEntry: false }));
  if (stat === undefined) throw invalidCheckpoint(path, 'the file is missing');
  if (!stat.isFile()) throw invalidCheckpoint(path, 'is not a regular file');
  return stat.size;
}

/** Up to `length` first bytes. */
export function firstBytes(path: string, length: number): Buffer {
  const bytes = Buffer.alloc(Math.min(length, fileSize(path)));
  const fd = openForReading(path);
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

export function decodeUtf8(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch (cause) {
    throw invalidCheckpoint(path, 'is not valid UTF-8', cause);
  }
}

export function readText(path: string, maxBytes: number): string {
  const size = fileSize(path);
  if (size > maxBytes) throw invalidCheckpoint(path, `has ${size} bytes, more than the limit of ${maxBytes}`);
  return decodeUtf8(
    path,
    readable(path, () => readFileSync(path)),
  );
}

export function readJsonObject(path: string, maxBytes: number): JsonObject {
  return asJsonObject(path, parseJson(path, readText(path, maxBytes), 64));
}

/** JSON without duplicate keys and no deeper than `maxDepth`, or an error that names the file. */
export function parseJson(path: string, text: string, maxDepth: number): unknown {
  try {
    return parseStrictJson(text, maxDepth);
  } catch (cause) {
    throw invalidCheckpoint(path, `is not valid JSON: ${(cause as Error).message}`, cause);
  }
}

export function asJsonObject(path: string, value: unknown, what = 'the file'): JsonObject {
  if (!isJsonObject(value)) throw invalidCheckpoint(path, `${what} should be a JSON object`);
  return value;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
