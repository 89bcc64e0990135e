/**
 * The cache layout that all tools of the hub share:
 *
 *     models--<org>--<name>/blobs/<checksum>             contents; `<checksum>.incomplete` while it downloads
 *     models--<org>--<name>/refs/<revision>              the commit that a branch or tag stood at
 *     models--<org>--<name>/snapshots/<commit>/<file>    links to ../../blobs/<checksum>
 */

import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { diskError } from './disk-error.js';
import type { HubFile } from './hub-api.js';
import type { HubOptions } from './hub-options.js';
import type { ModelSpec } from './model-spec.js';
import { isPlainName, shardNames, singleWeights, unusable, weightIndex } from './wanted-files.js';

const commitPattern = /^[0-9a-f]{40}$/;

export class ModelCache {
  readonly folder: string;
  readonly #spec: ModelSpec;

  constructor(hub: HubOptions, spec: ModelSpec) {
    this.folder = join(hub.cacheFolder, `models--${spec.id.replace('/', '--')}`);
    this.#spec = spec;
  }

  blob(file: HubFile): string {
    return join(this.folder, 'blobs', file.checksum.hex);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  async createFolders(commit: string): Promise<void> {
    for (const folder of [join(this.folder, 'blobs'), this.snapshot(commit)]) {
      await mkdir(folder, { recursive: true }).catch((cause) => {
        throw diskError(folder, cause);
      });
    }
  }

  /** A blob gets its name only once it is verified, so its size is proof enough. */
  async hasBlob(file: HubFile): Promise<boolean> {
    return (await sizeOf(this.blob(file))) === file.size;
  }

  /** Bytes that are still to come, counting what an earlier run left. */
  async missingBytes(file: HubFile): Promise<number> {
    if (await this.hasBlob(file)) return 0;
    return Math.max(0, file.size - ((await sizeOf(`${this.blob(file)}.incomplete`)) ?? 0));
  }

  /** Makes the blob appear in the snapshot under its name. */
  async link(commit: string, file: HubFile): Promise<void> {
    if (!isPlainName(file.name))
      throw unusable(this.#spec.id, `has the file name ${JSON.stringify(file.name)}`);
    const path = join(this.snapshot(commit), file.name);
    const blob = this.blob(file);
    await replace(path, async (temporary) => {
      await symlink(relative(dirname(path), blob), temporary).catch(() => copyFile(blob, temporary));
    });
  }

  /** Remembers which commit the revision stood at. */
  async writeRef(commit: string): Promise<void> {
    if (this.#spec.revision === commit) return;
    const path = join(this.folder, 'refs', this.#spec.revision);
    await mkdir(dirname(path), { recursive: true });
    await replace(path, (temporary) => writeFile(temporary, commit));
  }

  /** The folder of the revision if it is here with all of its weights. */
  async findComplete(): Promise<string | undefined> {
    const commit = await this.#knownCommit();
    if (commit === undefined) return undefined;
    const folder = this.snapshot(commit);
    const weights = await weightNames(folder);
    const sizes = await Promise.all(['config.json', ...weights].map((name) => sizeOf(join(folder, name))));
    return weights.length > 0 && sizes.every((size) => size !== undefined) ? folder : undefined;
  }

  async #knownCommit(): Promise<string | undefined> {
    const { revision } = this.#spec;
    if (commitPattern.test(revision)) return revision;
    const commit = (await readOptional(join(this.folder, 'refs', revision)))?.trim();
    return commit !== undefined && commitPattern.test(commit) ? commit : undefined;
  }
}

/** Weight files that a snapshot should have; none if it does not say. */
async function weightNames(folder: string): Promise<readonly string[]> {
  if ((await sizeOf(join(folder, singleWeights))) !== undefined) return [singleWeights];
  const index = await readOptional(join(folder, weightIndex));
  return (index === undefined ? undefined : shardNames(index)) ?? [];
}

/** Creates a file beside `path`, then moves it there in one step. */
async function replace(path: string, create: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await rm(temporary, { force: true });
    await create(temporary);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw diskError(path, cause);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    (found) => found.size,
    () => undefined,
  );
}

async function readOptional(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
