/** Tower and projector as sessions: the patches of tiles in, features and rows of the decoder out. */

import { setImmediate } from 'node:timers/promises';
import { hasMetric, towerTokens } from '../checkpoint/vision-config.js';
import type { CompiledEyes } from '../compiler/compiled-eyes.js';
import { projectedTokens, projectorPorts } from '../models/vision-projector.js';
import { towerPorts } from '../models/vision-tower.js';
import { floats, OrtSession } from '../runner/ort-session.js';
import type { VisualFeatures } from './visual-features.js';

export class VisionEncoder {
  readonly #eyes: CompiledEyes;
  readonly #tower: OrtSession;
  readonly #projector: OrtSession;

  private constructor(eyes: CompiledEyes, tower: OrtSession, projector: OrtSession) {
    this.#eyes = eyes;
    this.#tower = tower;
    this.#projector = projector;
  }

  static async load(eyes: CompiledEyes, threads: number): Promise<VisionEncoder> {
    const tower = await OrtSession.load(eyes.path('tower'), threads);
    return new VisionEncoder(eyes, tower, await OrtSession.load(eyes.path('projector'), threads));
  }

  /**
   * One run per group, so that sequences which decode get their steps in between. `patchesOf` gives the
   * `[n, 3·p·p]` of a group.
   */
  async encode(groups: number, patchesOf: (group: number) => Float32Array): Promise<VisualFeatures> {
    const { config } = this.#eyes;
    const tokensPerGroup = towerTokens(config);
    const size = tokensPerGroup * config.tower.hiddenSize;
    const features = new Float32Array(groups * size);
    const metric = hasMetric(config) ? new Float32Array(groups * size) : undefined;
    for (let group = 0; group < groups; group++) {
      const place = (all: Float32Array) => all.subarray(group * size, (group + 1) * size);
      await this.#runTower(patchesOf(group), place(features), metric && place(metric));
      await setImmediate();
    }
    return { groups, tokensPerGroup, width: config.tower.hiddenSize, features, metric };
  }

  /** Rows of the decoder for features, group by group: `[groups, rows, outputSize]`. */
  async project({ groups, tokensPerGroup, width, features }: VisualFeatures): Promise<VisualFeatures> {
    const { config } = this.#eyes;
    const isShuffled = config.projector.kind === 'shuffle';
    const rowsPerGroup = isShuffled ? projectedTokens(config) : tokensPerGroup;
    const [from, to] = [tokensPerGroup * width, rowsPerGroup * config.outputSize];
    const projected = new Float32Array(groups * to);
    for (let group = 0; group < groups; group++) {
      const input = floats(features.subarray(group * from, (group + 1) * from), [1, tokensPerGroup, width]);
      const output = floats(projected.subarray(group * to, (group + 1) * to), [
        1,
        rowsPerGroup,
        config.outputSize,
      ]);
      await this.#projector.run({ [projectorPorts.features]: input }, { [projectorPorts.rows]: output });
    }
    return {
      groups,
      tokensPerGroup: rowsPerGroup,
      width: config.outputSize,
      features: projected,
      metric: undefined,
    };
  }

  async close(): Promise<void> {
    await this.#tower.release();
    await this.#projector.release();
  }

  async #runTower(
    patches: Float32Array,
    features: Float32Array,
    metric: Float32Array | undefined,
  ): Promise<void> {
    const { config } = this.#eyes;
    const pixels = 3 * config.tower.patchSize ** 2;
    const shape = [1, towerTokens(config), config.tower.hiddenSize];
    await this.#tower.run(
      { [towerPorts.patches]: floats(patches, [1, patches.length / pixels, pixels]) },
      {
        [towerPorts.features]: floats(features, shape),
        ...(metric === undefined ? {} : { [towerPorts.metric]: floats(metric, shape) }),
      },
    );
  }
}
