/** One file from the hub into the cache: resumed where it stopped, retried, and verified before it has a name. */

import { TrimtabError } from '../core/errors.js';
import type { HubFile } from './hub-api.js';
import type { HubOptions } from './hub-options.js';
import type { HubResponse } from './hub-request.js';
import { hubGet, reasonOf } from './hub-request.js';
import { PartialFile } from './partial-file.js';
import { retry, TransientError } from './retry.js';

export interface BlobDownload {
  readonly hub: HubOptions;
  readonly url: string;
  readonly file: HubFile;
  /** Where the verified contents go. */
  readonly blob: string;
  readonly signal: AbortSignal;
  /** Bytes of this file that are here; may fall when a download starts over. */
  readonly onPosition: (bytes: number) => void;
}

/** On abort or failure, what has arrived stays beside the blob for the next run. */
export async function downloadBlob(download: BlobDownload): Promise<void> {
  const partial = await PartialFile.open(download.blob, download.file);
  try {
    const resumed = partial.position > 0;
    await receiveWhole(download, partial);
    const isGood = partial.verify() || (resumed && (await receiveAgain(download, partial)));
    if (!isGood) await refuse(download, partial);
    await partial.commit();
  } finally {
    await partial.close();
  }
}

/** A wrong checksum after a resumption may be the fault of the part that was left from before. */
async function receiveAgain(download: BlobDownload, partial: PartialFile): Promise<boolean> {
  partial.restart();
  await receiveWhole(download, partial);
  return partial.verify();
}

async function refuse({ file }: BlobDownload, partial: PartialFile): Promise<never> {
  await partial.discard();
  const { algorithm, hex } = file.checksum;
  throw new TrimtabError(
    'download_failed',
    `${file.name}: the contents do not match the ${algorithm} ${hex}`,
    {
      param: file.name,
    },
  );
}

async function receiveWhole(download: BlobDownload, partial: PartialFile): Promise<void> {
  const { hub, file, signal, onPosition } = download;
  onPosition(partial.position);
  const options = { ...hub, signal, what: file.name, progress: () => partial.position };
  await retry(() => receiveRest(download, partial), options);
}

async function receiveRest(download: BlobDownload, partial: PartialFile): Promise<void> {
  if (partial.isWhole) return;
  const { hub, url, file, signal } = download;
  const headers: Record<string, string> = partial.position > 0 ? { range: `bytes=${partial.position}-` } : {};
  const response = await hubGet(hub, url, headers, signal);
  const start = checkStart(file, response, partial.position);
  if (start !== partial.position) {
    partial.restart();
    download.onPosition(0);
  }
  if (start === undefined) {
    await response.body.dump();
    throw new TransientError('the server could not continue where the download stopped');
  }
  await receiveBody(response, partial, download);
  if (!partial.isWhole)
    throw new TransientError(`the transfer ended at byte ${partial.position} of ${file.size}`);
}

/** Where the body starts: 0, the asked position, or undefined if neither. Servers may ignore `Range`. */
function checkStart(file: HubFile, { statusCode, headers }: HubResponse, asked: number): number | undefined {
  if (statusCode === 416) return undefined;
  if (statusCode === 200) {
    requireSize(file, headers['content-length']);
    return 0;
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers['content-range'] ?? ''));
  if (range === null) return undefined;
  if (range[2] !== '*') requireSize(file, range[2]);
  return Number(range[1]) === asked ? asked : undefined;
}

function requireSize(file: HubFile, offered: unknown): void {
  if (offered === undefined || Number(offered) === file.size) return;
  const facts = `the server offers ${String(offered)} bytes, its listing says ${file.size}`;
  throw new TrimtabError('download_failed', `${file.name}: ${facts}`, { param: file.name });
}

async function receiveBody(
  response: HubResponse,
  partial: PartialFile,
  download: BlobDownload,
): Promise<void> {
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      await partial.append(chunk);
      download.onPosition(partial.position);
    }
  } catch (cause) {
    download.signal.throwIfAborted();
    if (cause instanceof TrimtabError) throw cause;
    throw new TransientError(`the transfer broke at byte ${partial.position}: ${reasonOf(cause)}`, { cause });
  }
}
