/** `trimtab pull`: the files of a model from the hub into the shared cache, several at a time. */

import { readFile, statfs } from 'node:fs/promises';
import { TrimtabError } from '../core/errors.js';
import { ModelCache } from './cache-layout.js';
import { downloadBlob } from './download-blob.js';
import type { HubFile, HubRevision } from './hub-api.js';
import { fetchRevision } from './hub-api.js';
import type { HubOptions } from './hub-options.js';
import type { ModelSpec } from './model-spec.js';
import { parseModelSpec } from './model-spec.js';
import { indexFile, isPlainName, neededFiles, shardNames, singleWeights, unusable } from './wanted-files.js';

export interface PullProgress {
  readonly doneBytes: number;
  /** The part of `doneBytes` that was there before. */
  readonly resumedBytes: number;
  readonly totalBytes: number;
}

export interface PullOptions {
  readonly hub: HubOptions;
  /** Stops at once; the next pull goes on from there. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

const parallelDownloads = 4;
/** Room that a download leaves on the disk. */
const spareBytes = 64 << 20;

/** Downloads `<org>/<name>[@revision]` and returns its folder, an ordinary checkpoint in Hugging Face layout. */
export async function pull(source: string, options: PullOptions): Promise<string> {
  const spec = parseModelSpec(source);
  const signal = options.signal ?? new AbortController().signal;
  if (options.hub.offline) {
    throw new TrimtabError(
      'download_failed',
      `${spec.id}: not in the cache, and HF_HUB_OFFLINE forbids downloads`,
    );
  }
  const revision = await fetchRevision(options.hub, spec, signal);
  const cache = new ModelCache(options.hub, spec);
  await cache.createFolders(revision.commit);
  await pullFiles({ ...options, signal, spec, cache, revision });
  return cache.snapshot(revision.commit);
}

interface PullJob extends PullOptions {
  readonly signal: AbortSignal;
  readonly spec: ModelSpec;
  readonly cache: ModelCache;
  readonly revision: HubRevision;
}

/** Links come only when every file is here, weights last, so that a snapshot with weights is a whole one. */
async function pullFiles(job: PullJob): Promise<void> {
  const { spec, cache, revision } = job;
  const index = indexFile(spec.id, revision);
  if (index !== undefined) await fetchFiles({ ...job, onProgress: undefined }, [index]);
  const shards = index === undefined ? [singleWeights] : await readShardNames(job, index);
  const files = neededFiles(spec.id, revision, shards);
  await fetchFiles(job, files);
  for (const file of index === undefined ? files : [index, ...files]) await cache.link(revision.commit, file);
  await cache.writeRef(revision.commit);
}

async function readShardNames({ spec, cache }: PullJob, index: HubFile): Promise<readonly string[]> {
  const names = shardNames(await readFile(cache.blob(index), 'utf8'));
  if (names === undefined) throw unusable(spec.id, `has a ${index.name} that is not an index`);
  const outside = names.find((name) => !isPlainName(name));
  if (outside !== undefined)
    throw unusable(spec.id, `names the file ${JSON.stringify(outside)} in its index`);
  return names;
}

/** Fetches what the cache lacks. The first failure stops the other downloads. */
async function fetchFiles(job: PullJob, files: readonly HubFile[]): Promise<void> {
  await requireSpace(job, files);
  const stop = new AbortController();
  const signal = AbortSignal.any([job.signal, stop.signal]);
  const reporter = progressReporter(files, job.onProgress);
  const queue = files.values();
  const work = async () => {
    for (const file of queue) await fetchFile(job, file, signal, reporter());
  };
  const workers = Array.from({ length: parallelDownloads }, () => work().catch((error) => stop.abort(error)));
  await Promise.all(workers);
  job.signal.throwIfAborted();
  stop.signal.throwIfAborted();
}

async function fetchFile(
  { hub, spec, cache, revision }: PullJob,
  file: HubFile,
  signal: AbortSignal,
  onPosition: (bytes: number) => void,
): Promise<void> {
  signal.throwIfAborted();
  const url = `${hub.endpoint}/${spec.id}/resolve/${revision.commit}/${encodeURIComponent(file.name)}`;
  if (await cache.hasBlob(file)) onPosition(file.size);
  else await downloadBlob({ hub, url, file, blob: cache.blob(file), signal, onPosition });
}

/** Adds up the positions of all files; each call gives the callback of one file, whose first call is its start. */
function progressReporter(files: readonly HubFile[], onProgress: PullOptions['onProgress']) {
  const totalBytes = files.reduce((sum, file) => sum + file.size, 0);
  let doneBytes = 0;
  let resumedBytes = 0;
  return () => {
    let last: number | undefined;
    return (position: number) => {
      if (last === undefined) resumedBytes += position;
      doneBytes += position - (last ?? 0);
      last = position;
      onProgress?.({ doneBytes, resumedBytes, totalBytes });
    };
  };
}

async function requireSpace({ cache }: PullJob, files: readonly HubFile[]): Promise<void> {
  const missing = await Promise.all(files.map((file) => cache.missingBytes(file)));
  const needed = missing.reduce((sum, size) => sum + size, 0);
  const { bavail, bsize } = await statfs(cache.folder);
  if (needed === 0 || needed + spareBytes <= bavail * bsize) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  const facts = `needs ${gigabytes(needed)}, and the disk has ${gigabytes(bavail * bsize)} left`;
  throw new TrimtabError('download_failed', `${cache.folder}: ${facts}; HF_HUB_CACHE names another place`);
}
