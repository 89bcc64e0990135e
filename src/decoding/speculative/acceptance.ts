/**
 * Verification: the model's own choice at every row, followed as long as it was drafted.
 *
 * `choose` draws from the processed distribution of the target itself, exactly as plain decoding does at that
 * position, so the law of the output (and for a given seed every token) is that of plain decoding whatever the
 * draft: the draft only decides how many of these choices are known after one step.
 */

import type { DraftRows } from './draft-rows.js';

/**
 * The rows that were visited, from the anchor on, each of which gave one token. `choose` takes the token of a row
 * and returns it, or undefined if the sequence ended with it. A row that `trusts` refuses is left for the next
 * step to decide.
 */
export function acceptDraft(
  { tokens, parents }: Pick<DraftRows, 'tokens' | 'parents'>,
  choose: (row: number) => number | undefined,
  trusts: (row: number) => boolean = () => true,
): number[] {
  const visited = [0];
  for (;;) {
    const row = visited.at(-1)!;
    const token = choose(row);
    if (token === undefined) return visited;
    let child = row + 1;
    while (child < tokens.length && !(parents[child] === row && tokens[child] === token)) child++;
    if (child === tokens.length || !trusts(child)) return visited;
    visited.push(child);
  }
}
