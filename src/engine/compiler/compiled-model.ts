/**
 * A checkpoint compiled for one precision: a folder with one weight file and one small graph per variant.
 *
 *   <cache>/<key>/weights.bin   shared by all variants
 *   <cache>/<key>/plain.onnx    and other variants, written when they are first asked for
 *
 * The key hashes everything that shapes the files, so a folder is either right or absent; it is written under
 * another name and renamed when complete.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { dump } from '../graph/dump.js';
import type { Graph } from '../graph/ir.js';
import { encodeOnnx } from '../graph/onnx-writer.js';
import type { Precision, Variant } from '../graph/pipeline.js';
import { compileGraph, plainVariant, variantName } from '../graph/pipeline.js';
import { type Phase, phases } from '../models/layers.js';
import { buildGraph } from '../models/registry.js';
import { checkpointFingerprint } from './fingerprint.js';
import { diskError, publishFolder } from './publish-folder.js';
import type { WeightLayout } from './weight-file.js';
import { layOut, writeWeights } from './weight-file.js';

/** Raised whenever the same graph gets other bytes in its files. */
const encodingVersion = 1;
const weightFile = 'weights.bin';

export interface CompileProgress {
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

export interface CompileOptions extends Precision {
  readonly cacheFolder: string;
  readonly onProgress?: (progress: CompileProgress) => void;
}

export class CompiledModel {
  readonly config: DecoderConfig;
  readonly precision: Precision;
  readonly folder: string;
  /** Equal for equal weights, precision and compiler. */
  readonly key: string;
  readonly #sources: Readonly<Record<Phase, Graph>>;
  readonly #layout: WeightLayout;

  constructor(config: DecoderConfig, precision: Precision, cacheFolder: string, fingerprint: string) {
    this.config = config;
    this.precision = precision;
    this.#sources = {
      step: buildGraph(config, 'step'),
      prompt: buildGraph(config, 'prompt'),
      pruning: buildGraph(config, 'pruning'),
      ragged: buildGraph(config, 'ragged'),
    };
    this.key = modelKey(
      fingerprint,
      precision,
      phases.map((phase) => dump(this.graph(plainVariant, phase))),
    );
    this.folder = join(cacheFolder, this.key);
    this.#layout = layOut(this.graph(plainVariant).stored.values());
  }

  graph(variant: Variant, phase: Phase = 'step'): Graph {
    return compileGraph(this.#sources[phase], this.config, variant, this.#precisionOf(phase));
  }

  /**
   * True if prompts have a graph of their own: kernels for quantised weights that win at many rows lose at few.
   * Full precision has one kernel for both, and would only hold its weights twice.
   */
  get hasPromptGraph(): boolean {
    return this.precision.weights !== 'fp32';
  }

  get phases(): readonly Phase[] {
    return this.hasPromptGraph ? ['step', 'prompt'] : ['step'];
  }

  get weightBytes(): number {
    return this.#layout.totalBytes;
  }

  /** True if an earlier compilation left complete files. */
  isCached(): boolean {
    const weights = statSync(join(this.folder, weightFile), { throwIfNoEntry: false });
    return weights?.size === this.weightBytes;
  }

  /** Path of the `.onnx` file of a variant, written on first use. */
  variantPath(variant: Variant, phase: Phase = 'step'): string {
    const path = graphPath(this.folder, variant, phase);
    if (existsSync(path)) return path;
    try {
      this.#writeGraph(this.folder, variant, phase);
    } catch (error) {
      throw diskError(dirname(this.folder), error);
    }
    return path;
  }

  /** Writes all files of the plain variant; further variants follow when they are asked for. */
  write(checkpoint: Checkpoint, onProgress: (progress: CompileProgress) => void): void {
    publishFolder(
      this.folder,
      () => this.isCached(),
      (unfinished) => {
        this.#writeWeights(unfinished, checkpoint, onProgress);
        for (const phase of this.phases) this.#writeGraph(unfinished, plainVariant, phase);
      },
    );
  }

  #writeWeights(
    folder: string,
    checkpoint: Checkpoint,
    onProgress: (progress: CompileProgress) => void,
  ): void {
    const totalBytes = this.weightBytes;
    const fd = openSync(join(folder, weightFile), 'w');
    let writtenBytes = 0;
    try {
      // The padding behind the last tensor is part of the size that `isCached` checks, so it goes first.
      writeLastByte(fd, totalBytes);
      writeWeights(fd, [...this.graph(plainVariant).stored.values()], this.#layout, checkpoint, (bytes) => {
        writtenBytes += bytes;
        onProgress({ writtenBytes, totalBytes });
      });
      // Or a power cut could leave a file of the right size that is empty.
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Many rows amortise the unpacking of weights to float32, which then beats rounding every activation. */
  #precisionOf(phase: Phase): Precision {
    const manyRows = phase === 'prompt' || phase === 'pruning';
    return manyRows ? { ...this.precision, activations: 'fp32' } : this.precision;
  }

  #writeGraph(folder: string, variant: Variant, phase: Phase): void {
    const path = graphPath(folder, variant, phase);
    const temporary = `${path}.${randomUUID()}`;
    writeFileSync(temporary, encodeOnnx(this.graph(variant, phase), weightFile, this.#layout.placements));
    renameSync(temporary, path);
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

function graphPath(folder: string, variant: Variant, phase: Phase): string {
  return join(folder, `${variantName(variant)}${phase === 'step' ? '' : `.${phase}`}.onnx`);
}

/** The graphs are part of the key, so that a newer compiler never meets the files of an older one. */
function modelKey(
  fingerprint: string,
  { weights, activations }: Precision,
  graphs: readonly string[],
): string {
  const text = JSON.stringify([encodingVersion, fingerprint, weights, activations, graphs]);
  return `${weights}-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function writeLastByte(fd: number, size: number): void {
  if (size > 0) writeSync(fd, new Uint8Array(1), 0, 1, size - 1);
}
