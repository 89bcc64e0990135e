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
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { Graph } from '../graph/ir.js';
import { encodeOnnx } from '../graph/onnx-writer.js';
import type { Precision, Variant } from '../graph/pipeline.js';
import { compileGraph, plainVariant, variantName } from '../graph/pipeline.js';
import { buildGraph } from '../models/registry.js';
import { checkpointFingerprint } from './fingerprint.js';
import type { WeightLayout } from './weight-file.js';
import { layOut, writeWeights } from './weight-file.js';

/** Raised whenever the same checkpoint compiles to other files. */
const compilerVersion = 1;
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
  readonly #source: Graph;
  readonly #layout: WeightLayout;

  constructor(config: DecoderConfig, precision: Precision, cacheFolder: string, fingerprint: string) {
    this.config = config;
    this.precision = precision;
    this.key = modelKey(fingerprint, precision);
    this.folder = join(cacheFolder, this.key);
    this.#source = buildGraph(config);
    this.#layout = layOut(this.graph(plainVariant).stored.values());
  }

  graph(variant: Variant): Graph {
    return compileGraph(this.#source, this.config, variant, this.precision);
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
  variantPath(variant: Variant): string {
    const path = join(this.folder, `${variantName(variant)}.onnx`);
    if (!existsSync(path)) this.#writeGraph(this.folder, variant);
    return path;
  }

  write(checkpoint: Checkpoint, onProgress: (progress: CompileProgress) => void): void {
    const temporary = `${this.folder}.${randomUUID()}`;
    mkdirSync(temporary, { recursive: true });
    try {
      this.#writeWeights(temporary, checkpoint, onProgress);
      this.#writeGraph(temporary, plainVariant);
      this.#publish(temporary);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
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
    } finally {
      closeSync(fd);
    }
  }

  #writeGraph(folder: string, variant: Variant): void {
    const path = join(folder, `${variantName(variant)}.onnx`);
    const temporary = `${path}.${randomUUID()}`;
    writeFileSync(temporary, encodeOnnx(this.graph(variant), weightFile, this.#layout.placements));
    renameSync(temporary, path);
  }

  /** Another process may have finished first; its files are the same. */
  #publish(temporary: string): void {
    if (!this.isCached()) rmSync(this.folder, { recursive: true, force: true });
    try {
      renameSync(temporary, this.folder);
    } catch (error) {
      if (!this.isCached()) throw error;
    }
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

function modelKey(fingerprint: string, { weights, activations }: Precision): string {
  const text = JSON.stringify([compilerVersion, fingerprint, weights, activations]);
  return `${weights}-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function writeLastByte(fd: number, size: number): void {
  if (size > 0) writeSync(fd, new Uint8Array(1), 0, 1, size - 1);
}
