/**
 * A vision tower as a graph, from the patches of one tile to its features. Sizes in the drawings: n patches,
 * p pixels along the side of one, w width of the tower.
 *
 *   patches [1, n, 3·p·p] ── linear ── (class token in front) ── + positions ── (norm) ── layers ── features
 *
 * The convolution of the checkpoints has steps as wide as its kernel, so it is one linear map per patch.
 */

import type { VisionConfig } from '../checkpoint/vision-config.js';
import { hasMetric, patchesPerSide } from '../checkpoint/vision-config.js';
import type { NormNames, TowerLayerNames } from '../checkpoint/vision-tensors.js';
import { towerNames } from '../checkpoint/vision-tensors.js';
import type { NormWeights } from '../graph/builder.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Graph } from '../graph/ir.js';
import { stacked, wholeMatrix } from './matrices.js';

export const towerPorts = {
  /** `[1, n, 3·p·p]`: the pixels of a patch channel by channel, rows from top to bottom. */
  patches: 'patches',
  /** `[1, rows, w]` */
  features: 'features',
  /**
   * `[1, rows, w]`: the keys of the layer after the features, by whose likeness rows are merged
   * (arXiv 2412.03248). Only where the features come from before the last layer.
   */
  metric: 'metric',
} as const;

export function buildTower(config: VisionConfig): Graph {
  const builder = new TowerBuilder(config);
  return builder.build();
}

/** The residual stream, and its norm where a layer has asked for it. */
interface Stream {
  readonly sum: string;
  readonly normed: string;
}

class TowerBuilder {
  readonly #config: VisionConfig;
  readonly #graph = new GraphBuilder();
  readonly #names;

  constructor(config: VisionConfig) {
    this.#config = config;
    this.#names = towerNames(config.tower);
  }

  build(): Graph {
    const { featureLayers } = this.#config;
    this.#graph.constant('split/qkv', Array<number>(3).fill(this.#config.tower.hiddenSize));
    let stream = this.#firstNorm(this.#embeddings());
    for (let layer = 0; layer < featureLayers - 1; layer++) {
      stream = this.#layer(layer, stream, this.#names.layers[layer + 1]!.norm1);
    }
    this.#finish(stream);
    return this.#graph.build();
  }

  #embeddings(): string {
    const { tower } = this.#config;
    const [count, pixels] = [patchesPerSide(tower) ** 2, 3 * tower.patchSize ** 2];
    const patches = this.#graph.input(towerPorts.patches, 'float32', [1, count, pixels]);
    const matrix = wholeMatrix(this.#names.patches, tower.hiddenSize, pixels);
    const rows = this.#withClassToken(this.#graph.linear('embeddings/patches', patches, matrix));
    const positions = this.#positions(count + (tower.kind === 'clip' ? 1 : 0));
    const embedded = this.#graph.add('embeddings/sum', rows, positions);
    const { preNorm } = this.#names;
    if (preNorm === undefined) return embedded;
    return this.#graph.layerNorm('pre_norm', embedded, this.#norm('pre_norm', preNorm), tower.layerNormEps);
  }

  #withClassToken(rows: string): string {
    const { classToken } = this.#names;
    if (classToken === undefined) return rows;
    const width = this.#config.tower.hiddenSize;
    const token = this.#graph.table('embeddings/class.weight', classToken, width, [1, 1, width]);
    return this.#graph.concat('embeddings/rows', [token, rows], 1);
  }

  #positions(rows: number): string {
    const shape = [1, rows, this.#config.tower.hiddenSize];
    return this.#graph.table('embeddings/positions.weight', this.#names.positions, rows, shape);
  }

  #firstNorm(sum: string): Stream {
    const name = 'layers.0/norm1';
    const norm = this.#norm(name, this.#names.layers[0]!.norm1);
    return { sum, normed: this.#graph.layerNorm(name, sum, norm, this.#config.tower.layerNormEps) };
  }

  /** One layer, up to the norm of what follows it. */
  #layer(layer: number, { sum, normed }: Stream, next: NormNames): Stream {
    const middle = this.#advance(
      `layers.${layer}/norm2`,
      this.#attention(layer, normed),
      sum,
      this.#names.layers[layer]!.norm2,
    );
    return this.#advance(`layers.${layer + 1}/norm1`, this.#mlp(layer, middle.normed), middle.sum, next);
  }

  #advance(name: string, x: string, residual: string, names: NormNames): Stream {
    const norm = this.#norm(name, names);
    return this.#graph.addAndLayerNorm(name, x, residual, norm, this.#config.tower.layerNormEps);
  }

  /**
   *   x ── qkv ── split ┬ q ┐
   *                     ├ k ┼ attention ── output projection
   *                     └ v ┘
   */
  #attention(layer: number, x: string): string {
    const { hiddenSize: width, heads } = this.#config.tower;
    const { q, k, v, out } = this.#names.layers[layer]!;
    const path = `layers.${layer}/attention`;
    const whole = [q, k, v].map((projection) => ({ projection, first: 0, count: width }));
    const qkv = this.#graph.linear(`layers.${layer}/qkv`, x, stacked(whole, width));
    const parts = [`${path}/query`, `${path}/key`, `${path}/value`] as const;
    this.#graph.split(parts, qkv, 'split/qkv', -1);
    const mixed = this.#graph.attention(`${path}/mixed`, ...parts, heads);
    return this.#graph.linear(`layers.${layer}/attention_out`, mixed, wholeMatrix(out, width, width));
  }

  /** x ── fc1 ── gelu ── fc2 */
  #mlp(layer: number, x: string): string {
    const { hiddenSize: width, intermediateSize: inner, activation } = this.#config.tower;
    const { fc1, fc2 } = this.#names.layers[layer]!;
    const path = `layers.${layer}`;
    const raised = this.#graph.linear(`${path}/fc1`, x, wholeMatrix(fc1, inner, width));
    const activated = this.#graph.gelu(`${path}/activated`, raised, activation);
    return this.#graph.linear(`${path}/fc2`, activated, wholeMatrix(fc2, width, inner));
  }

  /**
   * The last layer that the features need, and what leaves the graph:
   *
   *   … ── add ── features                      plain
   *   … ── add+norm ┬ sum ── features           with the keys of the layer after it
   *                 └ norm ── keys ── metric
   *   … ── add+norm ── features                 with the last norm of the tower
   */
  #finish(stream: Stream): void {
    const { featureLayers, finalNorm } = this.#config;
    const last = featureLayers - 1;
    const following = this.#names.layers[featureLayers];
    if (finalNorm) {
      this.#output(towerPorts.features, this.#layer(last, stream, this.#names.postNorm).normed);
    } else if (hasMetric(this.#config)) {
      const { sum, normed } = this.#layer(last, stream, following!.norm1);
      this.#output(towerPorts.features, sum);
      this.#output(towerPorts.metric, this.#keys(following!, featureLayers, normed));
    } else {
      this.#output(towerPorts.features, this.#plainLast(last, stream));
    }
  }

  #plainLast(layer: number, { sum, normed }: Stream): string {
    const name = `layers.${layer}/norm2`;
    const middle = this.#advance(name, this.#attention(layer, normed), sum, this.#names.layers[layer]!.norm2);
    return this.#graph.add(`layers.${layer}/output`, this.#mlp(layer, middle.normed), middle.sum);
  }

  #keys({ k }: TowerLayerNames, layer: number, normed: string): string {
    const width = this.#config.tower.hiddenSize;
    return this.#graph.linear(`layers.${layer}/key`, normed, wholeMatrix(k, width, width));
  }

  /** Takes the class token off and gives the value the name of the port. */
  #output(port: string, value: string): void {
    const { tower, keepsClassToken } = this.#config;
    const patches = patchesPerSide(tower) ** 2;
    const hasClass = tower.kind === 'clip';
    const rows = patches + (hasClass && keepsClassToken ? 1 : 0);
    if (hasClass && !keepsClassToken) {
      const sizes = this.#graph.constant(`split/${port}`, [1, patches]);
      this.#graph.split([`${port}/class`, port], value, sizes, 1);
    } else {
      this.#graph.identity(port, value);
    }
    this.#graph.output(port, 'float32', [1, rows, tower.hiddenSize]);
  }

  #norm(name: string, { weight, bias }: NormNames): NormWeights {
    const width = this.#config.tower.hiddenSize;
    return {
      weight: this.#graph.vector(`${name}.weight`, weight, width),
      bias: this.#graph.vector(`${name}.bias`, bias, width),
    };
  }
}
