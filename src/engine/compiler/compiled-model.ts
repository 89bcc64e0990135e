/** The decoder of a checkpoint compiled for one precision: its graphs, by variant and phase, and their files. */

import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { dump } from '../graph/dump.js';
import type { Graph } from '../graph/ir.js';
import type { ActivationPrecision } from '../graph/passes/lower-linear.js';
import type { Precision, Variant } from '../graph/pipeline.js';
import { compileGraph, plainVariant, variantName } from '../graph/pipeline.js';
import type { Phase } from '../models/phase.js';
import { phases } from '../models/phase.js';
import { buildProbe } from '../models/probe.js';
import { buildGraph } from '../models/registry.js';
import type { OnProgress } from './artifact.js';
import { Artifact, artifactKey } from './artifact.js';
import { checkpointFingerprint } from './fingerprint.js';

export type { CompileProgress } from './artifact.js';

export interface CompileOptions extends Precision {
  readonly cacheFolder: string;
  readonly onProgress?: OnProgress;
}

export class CompiledModel {
  readonly config: DecoderConfig;
  readonly precision: Precision;
  /** Equal for equal weights, precision and compiler. */
  readonly key: string;
  readonly #sources: Readonly<Record<Phase, Graph>>;
  readonly #artifact: Artifact;

  constructor(config: DecoderConfig, precision: Precision, cacheFolder: string, fingerprint: string) {
    this.config = config;
    this.precision = precision;
    this.#sources = {
      step: buildGraph(config, 'step'),
      prompt: buildGraph(config, 'prompt'),
      pruning: buildGraph(config, 'pruning'),
      ragged: buildGraph(config, 'ragged'),
    };
    const { weights, activations } = precision;
    const graphs = phases.map((phase) => dump(this.graph(plainVariant, phase)));
    this.key = artifactKey(weights, [fingerprint, weights, activations, graphs]);
    this.#artifact = new Artifact(join(cacheFolder, this.key), this.graph(plainVariant).stored.values());
  }

  get folder(): string {
    return this.#artifact.folder;
  }

  /** `promptKernels`: whether graphs for many rows get the kernels that unpack weights. */
  graph(variant: Variant, phase: Phase = 'step', promptKernels = true): Graph {
    const precision = promptKernels ? this.#precisionOf(phase) : this.precision;
    return compileGraph(this.#sources[phase], this.config, variant, precision);
  }

  /**
   * Whether prompts can have kernels of their own. Those for quantised weights that win at few rows may lose at
   * many; full precision has one kernel for both.
   */
  get hasPromptKernels(): boolean {
    return this.precision.weights !== 'fp32' && this.precision.activations === 'int8';
  }

  get weightBytes(): number {
    return this.#artifact.weightBytes;
  }

  isCached(): boolean {
    return this.#artifact.isCached();
  }

  /** Whether the weight file has a tensor of that name. */
  hasTensor(name: string): boolean {
    return this.#artifact.hasTensor(name);
  }

  readTensor(name: string): Uint8Array<ArrayBuffer> {
    return this.#artifact.readTensor(name);
  }

  /** Path of the `.onnx` file of a variant, written on first use. */
  variantPath(variant: Variant, phase: Phase = 'step', promptKernels = true): string {
    const name = `${graphName(variant, phase)}${promptKernels ? '' : '.shared-kernels'}`;
    return this.#artifact.graphPath(name, () => this.graph(variant, phase, promptKernels));
  }

  /** Path of the probe with the kernels that such activations choose. */
  probePath(activations: ActivationPrecision): string {
    return this.#artifact.graphPath(probeName(activations), () => this.#probe(activations));
  }

  /** Writes all files of the plain variant; further variants follow when they are asked for. */
  write(checkpoint: Checkpoint, onProgress: OnProgress): void {
    const phases: readonly Phase[] = this.hasPromptKernels ? ['step', 'prompt'] : ['step'];
    const probes: readonly ActivationPrecision[] = this.hasPromptKernels ? ['int8', 'fp32'] : [];
    const graphs = [
      ...phases.map((phase) => [graphName(plainVariant, phase), this.graph(plainVariant, phase)] as const),
      ...probes.map((activations) => [probeName(activations), this.#probe(activations)] as const),
    ];
    this.#artifact.write(checkpoint, new Map(graphs), onProgress);
  }

  #probe(activations: ActivationPrecision): Graph {
    return compileGraph(buildProbe(this.config), this.config, plainVariant, {
      ...this.precision,
      activations,
    });
  }

  /** Many rows amortise the unpacking of weights to float32, which then may beat rounding every activation. */
  #precisionOf(phase: Phase): Precision {
    const manyRows = phase === 'prompt' || phase === 'pruning';
    return manyRows ? { ...this.precision, activations: 'fp32' } : this.precision;
  }
}

/** Compiles the checkpoint, or finds it compiled. */
export function compileModel(
  checkpoint: Checkpoint,
  config: DecoderConfig,
  options: CompileOptions,
): CompiledModel {
  const { cacheFolder, weights, activations, onProgress } = options;
  const fingerprint = checkpointFingerprint(checkpoint, cacheFolder);
  const model = new CompiledModel(config, { weights, activations }, cacheFolder, fingerprint);
  if (!model.isCached()) model.write(checkpoint, onProgress ?? (() => {}));
  return model;
}

function graphName(variant: Variant, phase: Phase): string {
  return `${variantName(variant)}${phase === 'step' ? '' : `.${phase}`}`;
}

const probeName = (activations: ActivationPrecision): string => `probe.${activations}`;
