/** `$ref` inside one schema document. */

import { asSchema, invalid, isObject, type Located, type Schema, unsupported } from './schema.js';

const MAX_POINTER_LENGTH = 1024;

export class References {
  constructor(private readonly root: Located<Schema>) {}

  /** The schema that a pointer names. `path` is where the reference stands. */
  resolve(pointer: unknown, path: string): Located {
    if (typeof pointer !== 'string') throw invalid(path, 'expected a string');
    if (pointer.length > MAX_POINTER_LENGTH) {
      throw invalid(path, `expected ≤ ${MAX_POINTER_LENGTH} characters, received ${pointer.length}`);
    }
    if (!/^#(\/|$)/.test(pointer)) {
      throw unsupported(
        path,
        `only references inside the schema ("#/…") are supported, received "${pointer.slice(0, 80)}"`,
      );
    }
    let value: unknown = this.root.schema;
    for (const key of pointer.split('/').slice(1).map(unescapeKey)) {
      value = isObject(value) || Array.isArray(value) ? own(value, key) : undefined;
    }
    if (value === undefined) throw invalid(path, `"${pointer.slice(0, 80)}" names nothing in the schema`);
    return asSchema(value, `${this.root.path}${toPath(pointer)}`);
  }
}

function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

/** RFC 6901, and the escapes of a URI fragment. */
function unescapeKey(key: string): string {
  return decode(key).replaceAll('~1', '/').replaceAll('~0', '~');
}

function decode(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function toPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${unescapeKey(key)}`))
    .join('');
}
