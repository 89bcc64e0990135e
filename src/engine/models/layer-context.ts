/**
 * What a layer of a decoder is given and what it gives. Sizes in the drawings of its parts: b lanes, t new tokens per
 * lane, c capacity of the cache, h KV heads, g query heads per KV head, H = h·g, d width of a head; n = b·h in graphs
 * that see every KV head of every lane as a sequence of its own, all but those of prompts.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { LayerTensorNames } from '../checkpoint/decoder-tensors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { decoderInputs } from './decoder-ports.js';
import type { Phase } from './phase.js';

export interface LayerContext {
  readonly graph: GraphBuilder;
  readonly config: DecoderConfig;
  readonly names: LayerTensorNames;
  readonly layer: number;
  /** `layers.<i>` */
  readonly path: string;
  readonly phase: Phase;
  readonly rows: LayerRows;
  /** Only while pruning. */
  readonly pruned: PrunedLayer | undefined;
}

/** The input of a layer. */
export interface Stream {
  readonly normed: string;
  readonly residual: string;
}

/** What attention adds to the residual stream, and that stream: fewer rows than entered, if some were dropped. */
export interface Attended {
  readonly output: string;
  readonly residual: string;
}

/** What a layer reads about the rows that enter it; by default the same for all layers. */
export interface LayerRows {
  /** Added to the scores; `[b, 1, g·t, c + t]`, in steps `[n, r, s, c + t]`. */
  readonly mask: string;
  readonly positions: string;
  readonly headSplit: string;
  readonly keySplit: string;
  /** The names of the sizes that may differ from layer to layer. */
  readonly dims: { readonly rows: string; readonly capacity: string };
}

export const commonRows: LayerRows = {
  mask: 'mask/grouped',
  positions: decoderInputs.positions,
  headSplit: decoderInputs.headSplit,
  keySplit: decoderInputs.keySplit,
  dims: { rows: 'rows', capacity: 'capacity' },
};

/** Rows between the projection to heads and attention, and their residual stream. */
export interface ProjectedRows {
  /** `[b, t, h·(g+2)·d]` */
  readonly qkv: string;
  /** `[b, t, width]` */
  readonly residual: string;
}

/** Queries, keys and values of rows, turned for their positions; `[b, h, g·t, d]` and twice `[b, h, t, d]`. */
export interface HeadRows {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/** Rows between attention and its output projection. */
export interface MixedRows {
  /** `[b, t, H·d]` */
  readonly mixed: string;
  /** `[b, t, width]` */
  readonly residual: string;
}

/** Attention that lets rows come and go, in the place of the usual one. */
export interface PrunedLayer {
  attend(rows: ProjectedRows, turn: (qkv: string, rows: LayerRows) => HeadRows): MixedRows;
}
