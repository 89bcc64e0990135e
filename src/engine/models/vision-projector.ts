/** From the features of a tile to rows of the decoder, `[1, n, w]` to `[1, rows, outputSize]`, as a graph. */

import type { ProjectorConfig, VisionConfig } from '../checkpoint/vision-config.js';
import { patchesPerSide, towerTokens } from '../checkpoint/vision-config.js';
import { mlpProjectorNames, shuffleProjectorName } from '../checkpoint/vision-tensors.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/ir.js';
import { wholeMatrix } from './matrices.js';

export const projectorPorts = { features: 'features', rows: 'rows' } as const;

/** Rows of the decoder for a tile, before any merging. */
export function projectedTokens(config: VisionConfig): number {
  const { projector } = config;
  return projector.kind === 'shuffle' ? towerTokens(config) / projector.factor ** 2 : towerTokens(config);
}

export function buildProjector(config: VisionConfig): Graph {
  const graph = new GraphBuilder();
  const { projector } = config;
  if (projector.kind === 'mlp') mlp(graph, config, projector);
  else shuffle(graph, config, projector);
  graph.output(projectorPorts.rows, 'float32', [1, 'rows', config.outputSize]);
  return graph.build();
}

/** features ── linear 1 ── gelu ── linear 2; any number of rows. */
function mlp(
  graph: GraphBuilder,
  { tower, outputSize }: VisionConfig,
  projector: Extract<ProjectorConfig, { kind: 'mlp' }>,
): void {
  const { first, second } = mlpProjectorNames(projector);
  const features = graph.input(projectorPorts.features, 'float32', [1, 'rows', tower.hiddenSize]);
  const raised = graph.linear('projector/first', features, wholeMatrix(first, outputSize, tower.hiddenSize));
  const activated = graph.gelu('projector/activated', raised, projector.activation);
  graph.linear(projectorPorts.rows, activated, wholeMatrix(second, outputSize, outputSize));
}

/**
 * Blocks of f × f patches side by side in one row (the inverse of pixel shuffle), then one linear map. With s
 * patches along a side:
 *
 *   [1, s·s, w] ── [1, s, s/f, f·w] ── swap ── [1, s/f, s/f, f·f·w] ── swap ── [1, s·s/f·f, f·f·w] ── linear
 */
function shuffle(
  graph: GraphBuilder,
  { tower, outputSize }: VisionConfig,
  projector: Extract<ProjectorConfig, { kind: 'shuffle' }>,
): void {
  const { factor } = projector;
  const [side, width] = [patchesPerSide(tower), tower.hiddenSize];
  const few = side / factor;
  const reshaped = (name: string, x: string, shape: readonly number[]) =>
    graph.reshape(`shuffle/${name}`, x, graph.constant(`shape/${name}`, shape));
  const features = graph.input(projectorPorts.features, 'float32', [1, side * side, width]);
  const columns = reshaped('columns', features, [1, side, few, factor * width]);
  const swapped = graph.transpose('shuffle/swapped', columns, [0, 2, 1, 3]);
  const blocks = reshaped('blocks', swapped, [1, few, few, factor * factor * width]);
  const inOrder = graph.transpose('shuffle/in_order', blocks, [0, 2, 1, 3]);
  const rows = reshaped('rows', inOrder, [1, few * few, factor * factor * width]);
  const matrix = wholeMatrix(shuffleProjectorName(projector), outputSize, factor * factor * width);
  graph.linear(projectorPorts.rows, rows, matrix);
}
