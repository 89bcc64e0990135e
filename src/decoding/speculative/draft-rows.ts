/**
 * A tree laid out as rows of a step: the anchor (the last committed token, whose keys and values are still
 * missing) is row 0, the likeliest path follows it, so that the commonest outcome is a prefix of the rows and the
 * cache needs no copying.
 */

import type { DraftNode } from './draft-node.js';

export interface DraftRows {
  /** Row 0 is the anchor. */
  readonly tokens: readonly number[];
  /** −1 for the anchor. */
  readonly parents: readonly number[];
  /** The node of each row; undefined for the anchor. */
  readonly nodes: readonly (DraftNode | undefined)[];
}

const NO_PARENT: readonly number[] = [-1];
const NO_NODE: readonly (DraftNode | undefined)[] = [undefined];

/** The anchor and nothing else. */
export function plainRows(anchor: number): DraftRows {
  return { tokens: [anchor], parents: NO_PARENT, nodes: NO_NODE };
}

/** The first `count` of `nodes`, which hold the parents of all of them and come in order of reach. */
export function layOut(anchor: number, nodes: readonly DraftNode[], count = nodes.length): DraftRows {
  if (nodes.length === 0 || count <= 0) return plainRows(anchor);
  const rows = { tokens: [anchor], parents: [-1], nodes: [undefined] };
  placeBelow(undefined, 0, nodes, Math.min(count, nodes.length), rows);
  return rows;
}

interface GrowingRows {
  readonly tokens: number[];
  readonly parents: number[];
  readonly nodes: (DraftNode | undefined)[];
}

/** What follows `parent`, which lies in row number `row`; each child with all that follows it. */
function placeBelow(
  parent: DraftNode | undefined,
  row: number,
  nodes: readonly DraftNode[],
  count: number,
  rows: GrowingRows,
): void {
  for (let i = 0; i < count; i++) {
    const node = nodes[i]!;
    if (node.parent !== parent) continue;
    const at = rows.tokens.push(node.token) - 1;
    rows.parents.push(row);
    rows.nodes.push(node);
    placeBelow(node, at, nodes, count, rows);
  }
}

/** Rows that nobody drafted, up to `width`: the anchor once more, as if it followed itself. */
export function fillUp(rows: DraftRows, width: number): DraftRows {
  const { tokens, parents, nodes } = rows;
  const missing = width - tokens.length;
  if (missing <= 0) return rows;
  const filled = <T>(values: readonly T[], filler: T) => [...values, ...Array<T>(missing).fill(filler)];
  return { tokens: filled(tokens, tokens[0]!), parents: filled(parents, 0), nodes: filled(nodes, undefined) };
}
