import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errorKinds } from '../../../src/core/errors.js';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
/** Rows of the form `| code | status | type | meaning | what to do |`. */
const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \| `(\w+)` \| (.+) \| (.+) \|$/gm)];

describe('docs/errors.md', () => {
  it('lists the codes of the error table, all of them and no other', () => {
    expect(rows.map(([, code]) => code).sort()).toEqual(Object.keys(errorKinds).sort());
  });

  it('gives each code the status and type of the table', () => {
    for (const [, code, status, type] of rows) {
      const kind = errorKinds[code as keyof typeof errorKinds];
      expect({ code, status: Number(status), type }).toEqual({ code, status: kind.status, type: kind.type });
    }
  });
});
