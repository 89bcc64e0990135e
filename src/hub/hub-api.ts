/** What the hub says about one revision of a model: its commit and its files with sizes and checksums. */

import { z } from 'zod';
import { TrimtabError } from '../core/errors.js';
import type { HubOptions } from './hub-options.js';
import { hubGet, reasonOf } from './hub-request.js';
import type { ModelSpec } from './model-spec.js';
import { retry, TransientError } from './retry.js';

export interface HubFile {
  readonly name: string;
  readonly size: number;
  /** Large files are named by SHA-256; small ones by the SHA-1 that git gives to a blob. */
  readonly checksum: { readonly algorithm: 'sha256' | 'git-sha1'; readonly hex: string };
}

export interface HubRevision {
  readonly commit: string;
  readonly files: ReadonlyMap<string, HubFile>;
}

const maxListingBytes = 32 << 20;
const sha1 = z.string().regex(/^[0-9a-f]{40}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.int().min(0);

const siblingSchema = z.object({
  rfilename: z.string().min(1).max(1024),
  size: size.nullish(),
  blobId: sha1.nullish(),
  lfs: z.object({ sha256, size }).nullish(),
});
const revisionSchema = z.object({ sha: sha1, siblings: z.array(siblingSchema).max(100_000) });

export async function fetchRevision(
  hub: HubOptions,
  spec: ModelSpec,
  signal: AbortSignal,
): Promise<HubRevision> {
  const url = `${hub.endpoint}/api/models/${spec.id}/revision/${encodeURIComponent(spec.revision)}?blobs=true`;
  const text = await retry(() => fetchText(hub, url, signal), { ...hub, signal, what: spec.id });
  const { sha, siblings } = parseListing(url, text);
  return { commit: sha, files: new Map(siblings.flatMap(toFile).map((file) => [file.name, file])) };
}

/** A file without size and checksum cannot be verified, so it counts as not there. */
function toFile(sibling: z.infer<typeof siblingSchema>): HubFile[] {
  const { rfilename: name, size, blobId, lfs } = sibling;
  if (lfs) return [{ name, size: lfs.size, checksum: { algorithm: 'sha256', hex: lfs.sha256 } }];
  if (typeof size !== 'number' || !blobId) return [];
  return [{ name, size, checksum: { algorithm: 'git-sha1', hex: blobId } }];
}

async function fetchText(hub: HubOptions, url: string, signal: AbortSignal): Promise<string> {
  const { body } = await hubGet(hub, url, { accept: 'application/json' }, signal);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxListingBytes)
        throw new TrimtabError('download_failed', `${url}: the listing is too long`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof TrimtabError) throw cause;
    throw new TransientError(reasonOf(cause), { cause });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseListing(url: string, text: string): z.infer<typeof revisionSchema> {
  try {
    return revisionSchema.parse(JSON.parse(text));
  } catch (cause) {
    const issue = cause instanceof z.ZodError ? cause.issues[0] : undefined;
    const problem =
      issue === undefined ? 'is not JSON' : `has a wrong ${issue.path.join('.')}: ${issue.message}`;
    throw new TrimtabError('download_failed', `${url}: the listing of the model ${problem}`, { cause });
  }
}
