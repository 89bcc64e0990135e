/** A way of drafting that others published, with its own idea of how much to draft. */

import type { SourceName } from '../draft-source.js';

export interface DraftShape {
  /** Parents come before their children. */
  readonly tokens: readonly number[];
  /** −1 for those that follow the last committed token. */
  readonly parents: readonly number[];
}

export interface PublishedMethod {
  /** Under which name its drafts are counted. */
  readonly source: SourceName;
  /** `tokens` are prompt and output, the newest token included. */
  draft(tokens: readonly number[]): DraftShape;
}
