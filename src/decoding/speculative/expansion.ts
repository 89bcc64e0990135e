/** What all sources together say of one place in a draft: each token once, with the chance that it comes. */

import { isAllowed } from '../token-constraint.js';
import type { Calibrator } from './calibrator.js';
import { DraftNode } from './draft-node.js';
import type { Cursor, DraftSource, Proposals, Slot } from './draft-source.js';
import { sourceBit } from './draft-source.js';
import type { DraftRules } from './draft-tree.js';
import { completed, withDefault } from './features.js';
import type { TokenPath } from './token-path.js';

export class Expansion implements Proposals {
  readonly candidates: DraftNode[] = [];
  readonly allowed: Uint32Array | undefined;
  /** Proposals that the grammar did not allow. */
  rejected = 0;
  readonly #parent: DraftNode | undefined;
  readonly #rules: DraftRules;
  /** Of tokens that a slot does not propose. */
  #otherwise = 0;
  /** The source that speaks. */
  #index = 0;
  #slot: Slot = 0;
  #bit = 0;

  constructor(parent: DraftNode | undefined, allowed: Uint32Array | undefined, rules: DraftRules) {
    this.#parent = parent;
    this.allowed = allowed;
    this.#rules = rules;
  }

  ask(sources: readonly DraftSource[], path: TokenPath): void {
    const cursors = this.#parent?.cursors;
    for (let index = 0; index < sources.length; index++) {
      const source = sources[index]!;
      this.#index = index;
      this.#slot = source.slot;
      this.#bit = sourceBit(source.name);
      source.expand(path, cursors?.[index], this);
    }
  }

  propose(token: number, feature: number, cursor?: Cursor): void {
    if (this.#rules.isBanned(token)) return;
    if (this.allowed !== undefined && !isAllowed(this.allowed, token)) {
      this.rejected++;
      return;
    }
    const node = this.#candidate(token);
    node.sources |= this.#bit;
    node.features = withDefault(node.features, this.#slot, feature);
    if (cursor === undefined) return;
    node.cursors ??= [];
    while (node.cursors.length < this.#index) node.cursors.push(undefined);
    node.cursors[this.#index] = cursor;
  }

  otherwise(feature: number): void {
    this.#otherwise = withDefault(this.#otherwise, this.#slot, feature);
  }

  /** Gives the candidates their chances, which are at most 1 together. */
  weigh(calibrator: Calibrator): readonly DraftNode[] {
    let total = 0;
    for (const node of this.candidates) {
      node.features = completed(node.features, this.#otherwise);
      node.reach = calibrator.probability(node.features);
      total += node.reach;
    }
    const reach = this.#parent?.reach ?? 1;
    for (const node of this.candidates) node.reach = (reach * node.reach) / Math.max(1, total);
    return this.candidates;
  }

  #candidate(token: number): DraftNode {
    for (const node of this.candidates) if (node.token === token) return node;
    const node = new DraftNode(token, this.#parent);
    this.candidates.push(node);
    return node;
  }
}
