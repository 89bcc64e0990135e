/** Failures to write, said in words. */

import { TrimtabError } from '../core/errors.js';

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; make room or point HF_HUB_CACHE elsewhere, and what has arrived is kept',
  EDQUOT:
    'the disk quota is used up; make room or point HF_HUB_CACHE elsewhere, and what has arrived is kept',
  EACCES: 'no permission to write; point HF_HUB_CACHE to a folder that is writable',
  EPERM: 'no permission to write; point HF_HUB_CACHE to a folder that is writable',
  EROFS: 'the disk is read-only; point HF_HUB_CACHE to a folder that is writable',
};

export function diskError(path: string, cause: unknown): TrimtabError {
  if (cause instanceof TrimtabError) return cause;
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string };
  return new TrimtabError('download_failed', `${path}: ${reasons[code] ?? message}`, { cause });
}
