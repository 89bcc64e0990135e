/**
 * One folder of the cache: a weight file and small graphs that read it.
 *
 *   <cache>/<key>/weights.bin   shared by all graphs
 *   <cache>/<key>/plain.onnx    and others; some are written only when they are first asked for
 *
 * The key hashes everything that shapes the files, so a folder is either right or absent.
 */

import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Graph, StoredTensor } from '../graph/ir.js';
import { encodeOnnx } from '../graph/onnx-writer.js';
import { diskError, publishFolder } from './publish-folder.js';
import type { RowReader, WeightLayout } from './weight-file.js';
import { layOut, writeWeights } from './weight-file.js';

/** Raised whenever the same graph gets other bytes in its files. */
const encodingVersion = 3;
const weightFile = 'weights.bin';

export interface CompileProgress {
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

export type OnProgress = (progress: CompileProgress) => void;

export class Artifact {
  readonly folder: string;
  readonly #tensors: readonly StoredTensor[];
  readonly #layout: WeightLayout;

  /** `tensors` are the weights of all graphs, in an order that never depends on which of them are written. */
  constructor(folder: string, tensors: Iterable<StoredTensor>) {
    this.folder = folder;
    this.#tensors = [...tensors];
    this.#layout = layOut(this.#tensors);
  }

  get weightBytes(): number {
    return this.#layout.totalBytes;
  }

  /** True if an earlier compilation left complete files. */
  isCached(): boolean {
    const weights = statSync(join(this.folder, weightFile), { throwIfNoEntry: false });
    return weights?.size === this.weightBytes;
  }

  hasTensor(name: string): boolean {
    return this.#layout.placements.has(name);
  }

  /** The bytes of a stored tensor, once the files are written. */
  readTensor(name: string): Uint8Array<ArrayBuffer> {
    const { offset, length } = this.#layout.placements.get(name)!;
    const bytes = new Uint8Array(length);
    const fd = openSync(join(this.folder, weightFile), 'r');
    try {
      for (let done = 0; done < length; ) {
        const count = readSync(fd, bytes, done, length - done, offset + done);
        if (count === 0) throw new Error(`${weightFile} ends before ${name}`);
        done += count;
      }
    } finally {
      closeSync(fd);
    }
    return bytes;
  }

  /** Path of a graph, written on first use. */
  graphPath(name: string, graph: () => Graph): string {
    const path = graphFile(this.folder, name);
    if (existsSync(path)) return path;
    try {
      this.#writeGraph(path, graph());
    } catch (error) {
      throw diskError(dirname(this.folder), error);
    }
    return path;
  }

  /** Writes the weights and the graphs that are always needed, by name. */
  write(reader: RowReader, graphs: ReadonlyMap<string, Graph>, onProgress: OnProgress): void {
    publishFolder(
      this.folder,
      () => this.isCached(),
      (unfinished) => {
        this.#writeWeights(unfinished, reader, onProgress);
        for (const [name, graph] of graphs) this.#writeGraph(graphFile(unfinished, name), graph);
      },
    );
  }

  #writeWeights(folder: string, reader: RowReader, onProgress: OnProgress): void {
    const totalBytes = this.weightBytes;
    const fd = openSync(join(folder, weightFile), 'w');
    let writtenBytes = 0;
    try {
      // The padding behind the last tensor is part of the size that `isCached` checks, so it goes first.
      writeLastByte(fd, totalBytes);
      writeWeights(fd, this.#tensors, this.#layout, reader, (bytes) => {
        writtenBytes += bytes;
        onProgress({ writtenBytes, totalBytes });
      });
      // Or a power cut could leave a file of the right size that is empty.
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #writeGraph(path: string, graph: Graph): void {
    const temporary = `${path}.${randomUUID()}`;
    writeFileSync(temporary, encodeOnnx(graph, weightFile, this.#layout.placements));
    renameSync(temporary, path);
  }
}

/** Equal for equal facts; the graphs are among them, so that no compiler meets the files of an older one. */
export function artifactKey(prefix: string, facts: readonly unknown[]): string {
  const text = JSON.stringify([encodingVersion, ...facts]);
  return `${prefix}-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function graphFile(folder: string, name: string): string {
  return join(folder, `${name}.onnx`);
}

function writeLastByte(fd: number, size: number): void {
  if (size > 0) writeSync(fd, new Uint8Array(1), 0, 1, size - 1);
}
