/** Regular expressions of ECMAScript as trees, as far as they describe regular languages. */

import type { Range } from '../ranges.js';

export type RegexNode =
  | { readonly type: 'set'; readonly codePoints: readonly Range[] }
  | { readonly type: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly type: 'choice'; readonly options: readonly RegexNode[] }
  | { readonly type: 'repeat'; readonly body: RegexNode; readonly min: number; readonly max: number }
  | { readonly type: 'lookahead'; readonly body: RegexNode; readonly negative: boolean }
  | { readonly type: 'start' }
  | { readonly type: 'end' };

/** The pattern is not a regular expression, or needs more than one; the message says what. */
export class RegexError extends Error {}
