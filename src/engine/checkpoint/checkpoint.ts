/**
 * A checkpoint folder in Hugging Face layout: `config.json`, weights in one `model.safetensors` or in shards
 * named by `model.safetensors.index.json`, and generation defaults. The tokenizer room reads its own files.
 */

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { JsonObject } from './files.js';
import { asJsonObject, invalidCheckpoint, pathInside, readJsonObject, unsupportedModel } from './files.js';
import { foreignWeights } from './foreign-format.js';
import type { SafetensorsFile, TensorInfo } from './safetensors.js';
import { openSafetensors } from './safetensors.js';

const maxConfigBytes = 4 << 20;
const maxIndexBytes = 64 << 20;
const maxShards = 2048;

export class Checkpoint {
  readonly folder: string;
  /** `config.json` as it stands, still unchecked. */
  readonly config: JsonObject;
  readonly generationConfig: JsonObject;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly #shards: ReadonlyMap<string, SafetensorsFile>;

  constructor(
    folder: string,
    shards: ReadonlyMap<string, SafetensorsFile>,
    tensors: Map<string, TensorInfo>,
  ) {
    this.folder = folder;
    this.config = readJsonObject(pathInside(folder, 'config.json'), maxConfigBytes);
    this.generationConfig = readOptionalJson(folder, 'generation_config.json');
    this.tensors = tensors;
    this.#shards = shards;
  }

  /** The files that hold the weights, for keys of caches. */
  get weightFiles(): readonly string[] {
    return [...this.#shards.keys()];
  }

  tensor(name: string): TensorInfo {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw invalidCheckpoint(this.folder, `tensor ${name} is missing`);
    return tensor;
  }

  /** The whole tensor as float32; for tensors that are known to be small. */
  read(tensor: TensorInfo): Float32Array {
    return this.#shardOf(tensor).read(tensor);
  }

  /** Rows `[firstRow, firstRow + rows)` of the first dimension, as float32, into `out` or a new array. */
  readRows(tensor: TensorInfo, firstRow: number, rows: number, out?: Float32Array): Float32Array {
    return this.#shardOf(tensor).readRows(tensor, firstRow, rows, out);
  }

  close(): void {
    for (const shard of this.#shards.values()) shard.close();
  }

  #shardOf(tensor: TensorInfo): SafetensorsFile {
    return this.#shards.get(tensor.file)!;
  }
}

/** Opens every file and checks every header; reads no weights. The caller closes it. */
export function openCheckpoint(source: string): Checkpoint {
  const folder = resolve(source);
  requireFolder(folder);
  const shards = new Map<string, SafetensorsFile>();
  try {
    const tensors = openWeights(folder, shards);
    return new Checkpoint(folder, shards, tensors);
  } catch (error) {
    for (const shard of shards.values()) shard.close();
    throw error;
  }
}

function requireFolder(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw invalidCheckpoint(folder, 'there is no such folder');
  }
  if (existsSync(join(folder, 'config.json'))) return;
  if (existsSync(join(folder, 'adapter_config.json'))) {
    throw unsupportedModel(folder, 'holds an adapter; serve its base model and load the adapter on top');
  }
  throw invalidCheckpoint(folder, 'has no config.json, so it is not a checkpoint in Hugging Face layout');
}

/** Fills `shards` as it opens them, so that the caller can close them on any error. */
function openWeights(folder: string, shards: Map<string, SafetensorsFile>): Map<string, TensorInfo> {
  if (existsSync(join(folder, 'model.safetensors'))) {
    return new Map(openShard(folder, 'model.safetensors', shards).tensors);
  }
  const indexName = 'model.safetensors.index.json';
  if (existsSync(join(folder, indexName))) return openIndexed(folder, pathInside(folder, indexName), shards);
  const missing = 'has neither model.safetensors nor model.safetensors.index.json';
  throw (
    foreignWeights(readdirSync(folder).map((name) => join(folder, name))) ??
    invalidCheckpoint(folder, missing)
  );
}

/** The index decides which file a tensor is read from; tensors that it does not name are not part of the model. */
function openIndexed(
  folder: string,
  index: string,
  shards: Map<string, SafetensorsFile>,
): Map<string, TensorInfo> {
  const weightMap = readWeightMap(index);
  const files = new Set(weightMap.values());
  if (files.size > maxShards)
    throw invalidCheckpoint(index, `names ${files.size} files, the limit is ${maxShards}`);
  const opened = new Map([...files].map((file) => [file, openShard(folder, file, shards)]));
  const tensors = new Map<string, TensorInfo>();
  for (const [name, file] of weightMap) {
    const tensor = opened.get(file)!.tensors.get(name);
    if (tensor === undefined)
      throw invalidCheckpoint(index, `tensor ${name} should be in ${file}, but is not`);
    tensors.set(name, tensor);
  }
  return tensors;
}

function readWeightMap(index: string): Map<string, string> {
  const map = asJsonObject(index, readJsonObject(index, maxIndexBytes).weight_map, 'weight_map');
  const entries = Object.entries(map);
  if (entries.length === 0) throw invalidCheckpoint(index, 'weight_map is empty');
  for (const [name, file] of entries) {
    if (typeof file !== 'string')
      throw invalidCheckpoint(index, `the file of tensor ${name} should be a string`);
  }
  return new Map(entries as [string, string][]);
}

function openShard(folder: string, name: string, shards: Map<string, SafetensorsFile>): SafetensorsFile {
  const path = pathInside(folder, name);
  const shard = openSafetensors(path);
  shards.set(path, shard);
  return shard;
}

function optionalPath(folder: string, name: string): string | undefined {
  const path = pathInside(folder, name);
  return existsSync(path) ? path : undefined;
}

function readOptionalJson(folder: string, name: string): JsonObject {
  const path = optionalPath(folder, name);
  return path === undefined ? {} : readJsonObject(path, maxConfigBytes);
}
