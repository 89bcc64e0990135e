/** A token that may be drafted, with what is known of it: one small object, since hundreds of them come and go. */

import type { Cursor } from './draft-source.js';
import type { Features } from './features.js';

export class DraftNode {
  readonly token: number;
  /** Undefined below the anchor. */
  readonly parent: DraftNode | undefined;
  /** 1 below the anchor. */
  readonly depth: number;
  /** Chance that the model comes this way. */
  reach = 0;
  features: Features = 0;
  /** The sources that proposed it, see `sourceBit`. */
  sources = 0;
  /** Where sources stand behind it, by their place among those of the tree; undefined if none of them keeps one. */
  cursors: (Cursor | undefined)[] | undefined;
  /** What may follow it, drafted or not; undefined while it is not in the tree. */
  children: readonly DraftNode[] | undefined;

  constructor(token: number, parent: DraftNode | undefined) {
    this.token = token;
    this.parent = parent;
    this.depth = parent === undefined ? 1 : parent.depth + 1;
  }
}

/** From the anchor's child to the node itself. */
export function tokensTo(node: DraftNode): number[] {
  const tokens = new Array<number>(node.depth);
  let at: DraftNode | undefined = node;
  for (let place = node.depth - 1; at !== undefined; place--, at = at.parent) tokens[place] = at.token;
  return tokens;
}
