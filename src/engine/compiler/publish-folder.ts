/**
 * Folders that are complete or absent, whoever dies or writes at the same time: written under another name, then
 * renamed. The name of an unfinished one is `<folder>.<uuid>`.
 */

import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { TrimtabError } from '../../core/errors.js';

/** A writer touches its files at least every few seconds; one that has not for this long is gone. */
const abandonedMs = 60 * 60_000;

/**
 * Fills `folder` by way of `write`. When another process was faster, its folder stays, for the contents are the
 * same. Throws `invalid_config` if the disk does not let it.
 */
export function publishFolder(
  folder: string,
  isComplete: () => boolean,
  write: (unfinished: string) => void,
): void {
  const unfinished = `${folder}.${randomUUID()}`;
  try {
    removeAbandoned(folder);
    mkdirSync(unfinished, { recursive: true });
    write(unfinished);
    moveInto(folder, unfinished, isComplete);
  } catch (error) {
    throw diskError(dirname(folder), error);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** What stands in the way and is not complete is moved aside first: a rename has no moment between the two. */
function moveInto(folder: string, unfinished: string, isComplete: () => boolean): void {
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    if (isComplete()) return;
    if (!isCode(error, 'ENOTEMPTY', 'EEXIST', 'EPERM')) throw error;
    const aside = `${folder}.${randomUUID()}`;
    renameSync(folder, aside);
    rmSync(aside, { recursive: true, force: true });
    renameSync(unfinished, folder);
  }
}

/** Leftovers of processes that were killed. */
function removeAbandoned(folder: string): void {
  const parent = dirname(folder);
  for (const name of namesIn(parent)) {
    const path = join(parent, name);
    if (name.startsWith(`${basename(folder)}.`) && Date.now() - lastTouched(path) > abandonedMs) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function lastTouched(folder: string): number {
  const times = [folder, ...namesIn(folder).map((name) => join(folder, name))].map(
    (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(...times);
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'is not writable',
  EPERM: 'is not writable',
  EROFS: 'is on a read-only disk',
  ENOTDIR: 'is no folder',
  EEXIST: 'is no folder',
  ENOSPC: 'is on a disk that is full',
  EDQUOT: 'is over its disk quota',
};

/** The same error in words, if it is one of the disk. */
export function diskError(cacheFolder: string, cause: unknown): unknown {
  const reason = reasons[(cause as { code?: string }).code ?? ''];
  if (reason === undefined || cause instanceof TrimtabError) return cause;
  return new TrimtabError(
    'invalid_config',
    `The cache folder ${cacheFolder} ${reason}, and the compiled model is not in it. Make it writable, compile ` +
      'into it beforehand, or name another one with --cache-folder.',
    { param: 'cacheFolder', cause },
  );
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as { code?: string }).code ?? '');
}
