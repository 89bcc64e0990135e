/** Joins the inputs of a step that come from several places; those of steady decoding, which stay the same, only once. */

import type { Feeds } from './ort-session.js';

export class MergedFeeds {
  #parts: readonly Feeds[] = [];
  #merged: Feeds = {};

  /** The parts must not be changed afterwards; what their tensors hold may. */
  of(...parts: readonly Feeds[]): Feeds {
    const isKnown = parts.length === this.#parts.length && parts.every((part, i) => part === this.#parts[i]);
    if (isKnown) return this.#merged;
    this.#parts = parts;
    this.#merged = Object.assign({}, ...parts) as Feeds;
    return this.#merged;
  }
}
