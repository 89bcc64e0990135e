/** Names and shapes of the tensors of tower and projector, and the check that a checkpoint has them. */

import type { Checkpoint } from './checkpoint.js';
import type { ProjectionNames } from './decoder-tensors.js';
import { checkTensor } from './decoder-tensors.js';
import { invalidCheckpoint } from './files.js';
import type { ProjectorConfig, TowerConfig, VisionConfig } from './vision-config.js';
import { hasMetric, patchesPerSide } from './vision-config.js';
import type { VisionFamily } from './vision-schema.js';

export interface NormNames {
  readonly weight: string;
  readonly bias: string;
}

export interface TowerLayerNames {
  readonly norm1: NormNames;
  readonly norm2: NormNames;
  readonly q: ProjectionNames;
  readonly k: ProjectionNames;
  readonly v: ProjectionNames;
  readonly out: ProjectionNames;
  readonly fc1: ProjectionNames;
  readonly fc2: ProjectionNames;
}

export interface TowerNames {
  /** `[width, 3, patch, patch]`: a row is what one feature sees of a patch. */
  readonly patches: ProjectionNames;
  /** `[width]`, only CLIP. */
  readonly classToken: string | undefined;
  readonly positions: string;
  /** Only CLIP; the spelling is that of the checkpoints. */
  readonly preNorm: NormNames | undefined;
  readonly layers: readonly TowerLayerNames[];
  readonly postNorm: NormNames;
}

const patchEmbedding = 'embeddings.patch_embedding.weight';
const projectorWeights = {
  llava: 'multi_modal_projector.linear_1.weight',
  llava_onevision: 'multi_modal_projector.linear_1.weight',
  idefics3: 'connector.modality_projection.proj.weight',
} as const;

export function towerNames({ kind, layers, tensorPrefix }: TowerConfig): TowerNames {
  const isClip = kind === 'clip';
  return {
    patches: projection(`${tensorPrefix}embeddings.patch_embedding`, !isClip),
    classToken: isClip ? `${tensorPrefix}embeddings.class_embedding` : undefined,
    positions: `${tensorPrefix}embeddings.position_embedding.weight`,
    preNorm: isClip ? norm(`${tensorPrefix}pre_layrnorm`) : undefined,
    layers: Array.from({ length: layers }, (_, i) => layerNames(`${tensorPrefix}encoder.layers.${i}`)),
    postNorm: norm(`${tensorPrefix}post_layernorm`),
  };
}

function layerNames(layer: string): TowerLayerNames {
  const attention = (name: string) => projection(`${layer}.self_attn.${name}`, true);
  return {
    norm1: norm(`${layer}.layer_norm1`),
    norm2: norm(`${layer}.layer_norm2`),
    q: attention('q_proj'),
    k: attention('k_proj'),
    v: attention('v_proj'),
    out: attention('out_proj'),
    fc1: projection(`${layer}.mlp.fc1`, true),
    fc2: projection(`${layer}.mlp.fc2`, true),
  };
}

export function mlpProjectorNames({ tensorPrefix, bias }: Extract<ProjectorConfig, { kind: 'mlp' }>) {
  return {
    first: projection(`${tensorPrefix}linear_1`, bias),
    second: projection(`${tensorPrefix}linear_2`, bias),
  };
}

export function shuffleProjectorName({ tensorPrefix }: ProjectorConfig): ProjectionNames {
  return projection(`${tensorPrefix}proj`, false);
}

/** The learned end of a line of LLaVA-OneVision, `[outputSize]`. */
export function newlineName(checkpoint: Checkpoint): string {
  return onlyTensor(checkpoint, 'image_newline');
}

/** What stands before the names of tower and projector, which moved between versions of transformers. */
export function findVisionPrefixes(checkpoint: Checkpoint, family: VisionFamily) {
  const prefixOf = (suffix: string, own: string) => onlyTensor(checkpoint, suffix).slice(0, -own.length);
  const weight = projectorWeights[family];
  return {
    tower: prefixOf(patchEmbedding, patchEmbedding),
    projector: prefixOf(
      weight,
      weight.slice(weight.lastIndexOf('.', weight.length - '.weight'.length - 1) + 1),
    ),
  };
}

function onlyTensor(checkpoint: Checkpoint, suffix: string): string {
  const names = [...checkpoint.tensors.keys()].filter(
    (name) => name === suffix || name.endsWith(`.${suffix}`),
  );
  if (names.length === 1) return names[0]!;
  const found = names.length === 0 ? 'no tensor' : names.slice(0, 5).join(', ');
  throw invalidCheckpoint(checkpoint.folder, `expected one tensor named (…)${suffix}, found ${found}`);
}

/** Those that the graphs read; layers behind the features may be missing. */
export function checkVisionTensors(checkpoint: Checkpoint, config: VisionConfig): void {
  for (const [name, shape] of visionShapes(config)) checkTensor(checkpoint, name, shape);
  if (config.family === 'llava_onevision')
    checkTensor(checkpoint, newlineName(checkpoint), [config.outputSize]);
}

export function visionShapes(config: VisionConfig): Map<string, readonly number[]> {
  const shapes = [...towerShapes(config), ...projectorShapes(config)];
  return new Map(shapes.flatMap(([name, shape]) => (name === undefined ? [] : [[name, shape] as const])));
}

type Shapes = readonly (readonly [name: string | undefined, shape: readonly number[]])[];

function towerShapes(config: VisionConfig): Shapes {
  const { tower, featureLayers, finalNorm } = config;
  const { hiddenSize: width, patchSize, intermediateSize: inner, kind } = tower;
  const names = towerNames(tower);
  const positions = patchesPerSide(tower) ** 2 + (kind === 'clip' ? 1 : 0);
  return [
    [names.patches.weight, [width, 3, patchSize, patchSize]],
    [names.patches.bias, [width]],
    [names.classToken, [width]],
    [names.positions, [positions, width]],
    ...(names.preNorm === undefined ? [] : normShapes(names.preNorm, width)),
    ...names.layers.slice(0, featureLayers).flatMap((layer) => layerShapes(layer, width, inner)),
    ...(finalNorm ? normShapes(names.postNorm, width) : []),
    ...(hasMetric(config) ? metricShapes(names.layers[featureLayers]!, width) : []),
  ];
}

function metricShapes(layer: TowerLayerNames, width: number): Shapes {
  return [...normShapes(layer.norm1, width), ...projectionShapes(layer.k, width, width)];
}

function layerShapes(layer: TowerLayerNames, width: number, inner: number): Shapes {
  const square = [layer.q, layer.k, layer.v, layer.out].flatMap((names) =>
    projectionShapes(names, width, width),
  );
  return [
    ...normShapes(layer.norm1, width),
    ...normShapes(layer.norm2, width),
    ...square,
    ...projectionShapes(layer.fc1, inner, width),
    ...projectionShapes(layer.fc2, width, inner),
  ];
}

function projectorShapes({ projector, tower, outputSize }: VisionConfig): Shapes {
  if (projector.kind === 'shuffle') {
    return projectionShapes(
      shuffleProjectorName(projector),
      outputSize,
      tower.hiddenSize * projector.factor ** 2,
    );
  }
  const { first, second } = mlpProjectorNames(projector);
  return [
    ...projectionShapes(first, outputSize, tower.hiddenSize),
    ...projectionShapes(second, outputSize, outputSize),
  ];
}

function normShapes({ weight, bias }: NormNames, width: number): Shapes {
  return [
    [weight, [width]],
    [bias, [width]],
  ];
}

function projectionShapes({ weight, bias }: ProjectionNames, rows: number, columns: number): Shapes {
  return [
    [weight, [rows, columns]],
    [bias, [rows]],
  ];
}

function norm(name: string): NormNames {
  return { weight: `${name}.weight`, bias: `${name}.bias` };
}

function projection(name: string, hasBias: boolean): ProjectionNames {
  return { weight: `${name}.weight`, bias: hasBias ? `${name}.bias` : undefined };
}
