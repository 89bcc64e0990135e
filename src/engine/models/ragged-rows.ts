/**
 * Step graphs for lanes whose layers hold different tokens, because visual tokens were dropped between them: every
 * layer has a mask and a capacity of its own. Masks come with their rows repeated for the query heads.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { GraphBuilder } from '../graph/builder.js';
import { decoderInputs } from './decoder-ports.js';
import type { LayerRows } from './layer-context.js';
import { commonRows } from './layer-context.js';

export const raggedInputs = (layer: number) => ({
  mask: `${decoderInputs.mask}.${layer}`,
  keySplit: `${decoderInputs.keySplit}.${layer}`,
});

export function declareRagged(graph: GraphBuilder, { layers }: DecoderConfig): void {
  for (let layer = 0; layer < layers; layer++) {
    const { mask, keySplit } = raggedInputs(layer);
    graph.input(mask, 'float32', ['sequences', 'query_rows', 'query_columns', `total_${layer}`]);
    graph.input(keySplit, 'int64', [2]);
  }
}

export function raggedRows(layer: number): LayerRows {
  return {
    ...commonRows,
    ...raggedInputs(layer),
    dims: { rows: 'rows', capacity: `capacity_${layer}` },
  };
}
