/** Loads the committed reference checkpoints through the real compiler and runner. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint.js';
import { readDecoderConfig } from '../../src/engine/checkpoint/decoder-config.js';
import type { CompiledModel } from '../../src/engine/compiler/compiled-model.js';
import { compileModel } from '../../src/engine/compiler/compiled-model.js';
import type { Precision } from '../../src/engine/graph/pipeline.js';
import { ModelRunner, type RunnerOptions } from '../../src/engine/runner/model-runner.js';
import { suiteFolder } from './suite-folder.js';

const root = fileURLToPath(new URL('../fixtures/checkpoints/', import.meta.url));
/** Compiled models of the test file that imports this. */
const compiledFolder = suiteFolder();

export const fixtureNames = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

export const fixtureFolder = (name: string): string => `${root}${name}`;

export interface ReferenceCase {
  readonly prompt: readonly number[];
  readonly rows: readonly number[];
  readonly logitsOffset: number;
  readonly greedy: readonly number[];
}

export interface Reference {
  readonly vocabSize: number;
  readonly cases: readonly ReferenceCase[];
  readonly logits: Float32Array;
}

export function readReference(name: string): Reference {
  const { vocabSize, cases } = JSON.parse(readFileSync(`${root}${name}/expected.json`, 'utf8'));
  const bytes = readFileSync(`${root}${name}/logits.f32`);
  return { vocabSize, cases, logits: new Float32Array(new Uint8Array(bytes).buffer) };
}

export interface LoadedFixture {
  readonly runner: ModelRunner;
  readonly model: CompiledModel;
}

export function loadFixture(
  name: string,
  precision: Precision,
  options?: RunnerOptions,
  threads?: number,
): Promise<LoadedFixture> {
  return loadFolder(fixtureFolder(name), precision, compiledFolder, options, threads);
}

/**
 * Like `loadFixture`, for a checkpoint that a test wrote. Long prompts of quantised models have their own graph
 * here, whatever this machine prefers, unless the test says otherwise.
 */
export async function loadFolder(
  folder: string,
  precision: Precision,
  cacheFolder = compiledFolder,
  options: RunnerOptions = {},
  threads = 1,
): Promise<LoadedFixture> {
  const promptGraph = precision.weights !== 'fp32';
  const checkpoint = openCheckpoint(folder);
  const config = readDecoderConfig(checkpoint);
  const model = compileModel(checkpoint, config, { ...precision, cacheFolder });
  return { model, runner: await ModelRunner.load(model, checkpoint, threads, { promptGraph, ...options }) };
}

/** Feeds `tokens` to lane 0 in chunks and returns the logits of the asked positions, row after row. */
export async function logitsOf(
  runner: ModelRunner,
  tokens: readonly number[],
  positions: readonly number[],
  chunk = tokens.length,
): Promise<Float32Array> {
  const { cache, vocabSize } = runner;
  cache.resize(Math.max(cache.lanes, 1), Math.max(cache.capacity, tokens.length));
  cache.truncate(0, 0);
  const out = new Float32Array(positions.length * vocabSize);
  for (let from = 0; from < tokens.length; from += chunk) {
    const part = tokens.slice(from, from + chunk);
    const asked = positions.filter((p) => p >= from && p < from + part.length);
    const logits = await runner.forward({
      firstLane: 0,
      lanes: 1,
      rows: part.length,
      tokenIds: Int32Array.from(part),
      logitRows: Int32Array.from(asked, (p) => p - from),
    });
    out.set(logits, positions.indexOf(asked[0] ?? positions[0]!) * vocabSize);
  }
  return out;
}

/** Continues lane 0 greedily from `first`, one token a step. */
export async function greedy(runner: ModelRunner, first: number, count: number): Promise<number[]> {
  const tokens = [first];
  while (tokens.length < count) {
    runner.cache.resize(
      runner.cache.lanes,
      runner.cache.length(0) + 1 > runner.cache.capacity
        ? runner.cache.length(0) + 64
        : runner.cache.capacity,
    );
    const logits = await runner.forward({
      firstLane: 0,
      lanes: 1,
      rows: 1,
      tokenIds: Int32Array.of(tokens.at(-1)!),
      logitRows: Int32Array.of(0),
    });
    tokens.push(argmax(logits));
  }
  return tokens;
}

export function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Largest difference, relative to the largest magnitude of the expected values. */
export function relativeError(actual: Float32Array, expected: Float32Array): number {
  let scale = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  return error / scale;
}
