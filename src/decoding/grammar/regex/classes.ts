/** Character classes by their escape: `\d`, `\w`, `\s`, their complements, and single characters. */

import { complement, type Range } from '../ranges.js';

const range = (from: string, to = from): Range => [from.codePointAt(0)!, to.codePointAt(0)!];

export const lineEnds: readonly Range[] = [range('\n'), range('\r'), range('\u2028', '\u2029')];

const digits = [range('0', '9')];
const wordCharacters = [range('a', 'z'), range('A', 'Z'), ...digits, range('_')];
const spaces = [
  range('\t', '\r'),
  range(' '),
  range('\u00a0'),
  range('\u1680'),
  range('\u2000', '\u200a'),
  ...[range('\u2028', '\u2029'), range('\u202f'), range('\u205f'), range('\u3000'), range('\ufeff')],
];

export const classEscapes: Readonly<Record<string, readonly Range[]>> = {
  d: digits,
  D: complement(digits),
  w: wordCharacters,
  W: complement(wordCharacters),
  s: spaces,
  S: complement(spaces),
};

export const controlEscapes: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
