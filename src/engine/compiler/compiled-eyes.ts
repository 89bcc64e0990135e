/** Tower and projector of a vision-language checkpoint, compiled: two graphs over one weight file. */

import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { VisionConfig } from '../checkpoint/vision-config.js';
import { dump } from '../graph/dump.js';
import type { Graph } from '../graph/ir.js';
import type { Precision } from '../graph/pipeline.js';
import { lowerGraph } from '../graph/pipeline.js';
import { buildProjector } from '../models/vision-projector.js';
import { buildTower } from '../models/vision-tower.js';
import type { OnProgress } from './artifact.js';
import { Artifact, artifactKey } from './artifact.js';
import type { CompileOptions } from './compiled-model.js';
import { checkpointFingerprint } from './fingerprint.js';
import type { RowReader } from './weight-file.js';

export const eyeGraphs = ['tower', 'projector'] as const;
export type EyeGraph = (typeof eyeGraphs)[number];

export class CompiledEyes {
  readonly config: VisionConfig;
  readonly precision: Precision;
  /** Equal for equal weights, precision and compiler. */
  readonly key: string;
  readonly #graphs: Readonly<Record<EyeGraph, Graph>>;
  readonly #artifact: Artifact;

  constructor(config: VisionConfig, decoder: Precision, cacheFolder: string, fingerprint: string) {
    this.config = config;
    this.precision = eyePrecision(decoder);
    this.#graphs = {
      tower: lowerGraph(buildTower(config), this.precision),
      projector: lowerGraph(buildProjector(config), this.precision),
    };
    const { weights } = this.precision;
    const dumps = eyeGraphs.map((name) => dump(this.#graphs[name]));
    this.key = artifactKey(`eyes-${weights}`, [fingerprint, weights, dumps]);
    const tensors = eyeGraphs.flatMap((name) => [...this.#graphs[name].stored.values()]);
    this.#artifact = new Artifact(join(cacheFolder, this.key), tensors);
  }

  graph(name: EyeGraph): Graph {
    return this.#graphs[name];
  }

  get weightBytes(): number {
    return this.#artifact.weightBytes;
  }

  path(name: EyeGraph): string {
    return this.#artifact.graphPath(name, () => this.#graphs[name]);
  }

  isCached(): boolean {
    return this.#artifact.isCached();
  }

  write(reader: RowReader, onProgress: OnProgress): void {
    this.#artifact.write(reader, new Map(Object.entries(this.#graphs)), onProgress);
  }
}

/**
 * An encoder reads hundreds of rows at once, where unpacked weights and plain activations are the fastest, and
 * four bits blur what it sees: quantised models get 8-bit eyes.
 */
function eyePrecision({ weights }: Precision): Precision {
  return { weights: weights === 'fp32' ? 'fp32' : 'int8', activations: 'fp32' };
}

/** Compiles the eyes, or finds them compiled. */
export function compileEyes(
  checkpoint: Checkpoint,
  config: VisionConfig,
  { cacheFolder, weights, activations, onProgress }: CompileOptions,
): CompiledEyes {
  const fingerprint = checkpointFingerprint(checkpoint, cacheFolder);
  const eyes = new CompiledEyes(config, { weights, activations }, cacheFolder, fingerprint);
  if (!eyes.isCached()) eyes.write(checkpoint, onProgress ?? (() => {}));
  return eyes;
}
