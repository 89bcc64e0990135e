/**
 * A tree laid out as rows of a step: the anchor (the last committed token, whose keys and values are still
 * missing) is row 0, the likeliest path follows it, so that the commonest outcome is a prefix of the rows and the
 * cache needs no copying.
 */

import type { DraftNode } from './draft-tree.js';

export interface DraftRows {
  /** Row 0 is the anchor. */
  readonly tokens: readonly number[];
  /** −1 for the anchor. */
  readonly parents: readonly number[];
  /** The node of each row; undefined for the anchor. */
  readonly nodes: readonly (DraftNode | undefined)[];
}

/** `nodes` hold the parents of all of them and come in order of reach. */
export function layOut(anchor: number, nodes: readonly DraftNode[]): DraftRows {
  const children = new Map<DraftNode | undefined, DraftNode[]>();
  for (const node of nodes) {
    const siblings = children.get(node.parent);
    if (siblings === undefined) children.set(node.parent, [node]);
    else siblings.push(node);
  }
  const tokens = [anchor];
  const parents = [-1];
  const placed: (DraftNode | undefined)[] = [undefined];
  const place = (parent: DraftNode | undefined, row: number) => {
    for (const child of children.get(parent) ?? []) {
      const at = tokens.push(child.token) - 1;
      parents.push(row);
      placed.push(child);
      place(child, at);
    }
  };
  place(undefined, 0);
  return { tokens, parents, nodes: placed };
}

/** Rows that nobody drafted, up to `width`: the anchor once more, as if it followed itself. */
export function fillUp({ tokens, parents, nodes }: DraftRows, width: number): DraftRows {
  const missing = Math.max(0, width - tokens.length);
  const filled = <T>(values: readonly T[], filler: T) => [...values, ...Array<T>(missing).fill(filler)];
  return { tokens: filled(tokens, tokens[0]!), parents: filled(parents, 0), nodes: filled(nodes, undefined) };
}
