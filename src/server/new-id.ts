import { randomUUID } from 'node:crypto';

/** `chatcmpl-2f0c…`: unguessable and unique, whatever ids clients choose for themselves. */
export function newId(prefix: string): string {
  return `${prefix}-${randomUUID().replaceAll('-', '')}`;
}
