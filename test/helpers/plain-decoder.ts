/**
 * The decoder written a second time: one sequence, no cache, no fusing, loops over numbers in float64. It shares
 * no code with the engine beyond the parsed configuration, and answers what a graph should have computed.
 */

import type { DecoderConfig } from '../../src/engine/checkpoint/decoder-config.js';
import type { PlainCheckpoint } from './plain-checkpoint.js';

type Vector = Float64Array<ArrayBuffer>;

export interface PlainResult {
  /** `[layers + 1][rows]`: the input of each layer, then the normalised output. */
  readonly hidden: readonly (readonly Vector[])[];
  /** `[rows]` of `[vocab]` */
  readonly logits: readonly Vector[];
}

/** Looks into attention, and takes tokens out of the sight of others. */
export interface PlainWatch {
  /** Tokens that nobody sees in this layer. They still pass through it. */
  hidden(layer: number): ReadonlySet<number>;
  /** Logits `[head][query][key]` of all visible pairs and others, key up to query. */
  scores(layer: number, logits: readonly (readonly (readonly number[])[])[]): void;
}

/** `round` is applied to what every matrix is multiplied with, the head included. */
export function plainForward(
  config: DecoderConfig,
  { tensors }: PlainCheckpoint,
  tokens: readonly number[],
  round: (x: Vector) => Vector = (x) => x,
  watch?: PlainWatch,
): PlainResult {
  const tensor = (name: string) => tensors.get(name)?.data;
  const vector = (name: string): Vector => Float64Array.from(tensor(name)!);
  const project = (name: string, x: Vector): Vector =>
    affine(tensor(`${name}.weight`)!, tensor(`${name}.bias`), round(x));
  const norm = (name: string, x: Vector): Vector => rmsNorm(x, vector(name), config.rmsNormEps);
  const embeddings = tensor('model.embed_tokens.weight')!;
  const width = config.hiddenSize;

  let rows = tokens.map((id) => Float64Array.from(embeddings.subarray(id * width, (id + 1) * width)));
  const hidden: Vector[][] = [];
  for (let layer = 0; layer < config.layers; layer++) {
    const path = `model.layers.${layer}`;
    hidden.push(rows);
    const normed = rows.map((row) => norm(`${path}.input_layernorm.weight`, row));
    const mixed = attention(config, normed, {
      project: (part, x) => project(`${path}.self_attn.${part}_proj`, x),
      prepare: (part, head) => (config.qkNorm ? norm(`${path}.self_attn.${part}_norm.weight`, head) : head),
      hidden: watch?.hidden(layer) ?? new Set(),
      scores: (logits) => watch?.scores(layer, logits),
    });
    rows = rows.map((row, i) => sum(row, project(`${path}.self_attn.o_proj`, mixed[i]!)));
    rows = rows.map((row) =>
      sum(row, mlp(norm(`${path}.post_attention_layernorm.weight`, row), path, project)),
    );
  }
  const final = rows.map((row) => norm('model.norm.weight', row));
  const head = config.tieWordEmbeddings ? embeddings : tensor('lm_head.weight')!;
  return { hidden: [...hidden, final], logits: final.map((row) => affine(head, undefined, round(row))) };
}

/** To 8 bits with one scale for each block of 32, the entry of largest magnitude being ±127. */
export function roundedToInt8(x: Vector): Vector {
  return Float64Array.from(x, (value, i) => {
    const first = i - (i % 32);
    const scale =
      x.subarray(first, first + 32).reduce((most, entry) => Math.max(most, Math.abs(entry)), 0) / 127;
    return scale === 0 ? 0 : scale * Math.round(value / scale);
  });
}

interface AttentionParts {
  project(part: 'q' | 'k' | 'v', x: Vector): Vector;
  /** What happens to each head of queries and keys before it is rotated. */
  prepare(part: 'q' | 'k', head: Vector): Vector;
  readonly hidden: ReadonlySet<number>;
  scores(logits: readonly (readonly (readonly number[])[])[]): void;
}

/** Causal attention, head by head; returns the rows before the output projection. */
function attention(config: DecoderConfig, rows: readonly Vector[], parts: AttentionParts): Vector[] {
  const { heads, kvHeads, headDim } = config;
  const headsOf = (part: 'q' | 'k', x: Vector, position: number): Vector[] =>
    cut(parts.project(part, x), headDim).map((head) => rotate(config, parts.prepare(part, head), position));
  const queries = rows.map((row, i) => headsOf('q', row, i));
  const keys = rows.map((row, i) => headsOf('k', row, i));
  const values = rows.map((row) => cut(parts.project('v', row), headDim));
  const sharedBy = (head: number): number => Math.floor(head / (heads / kvHeads));
  const logits = Array.from({ length: heads }, (_, head) =>
    rows.map((_, i) =>
      keys.slice(0, i + 1).map((key) => dot(queries[i]![head]!, key[sharedBy(head)]!) / Math.sqrt(headDim)),
    ),
  );
  parts.scores(logits);
  return rows.map((_, i) => {
    const out = new Float64Array(heads * headDim);
    for (let head = 0; head < heads; head++) {
      const shared = sharedBy(head);
      const seen = logits[head]![i]!.map((score, j) =>
        parts.hidden.has(j) && j !== i ? Number.NEGATIVE_INFINITY : score,
      );
      softmax(seen).forEach((weight, j) => {
        for (let d = 0; d < headDim; d++) out[head * headDim + d]! += weight * values[j]![shared]![d]!;
      });
    }
    return out;
  });
}

/** Turns the pair `(d, d + half)` by the angle of its frequency. */
function rotate({ headDim, ropeTheta, ropeScaling }: DecoderConfig, head: Vector, position: number): Vector {
  const half = headDim / 2;
  const out = new Float64Array(headDim);
  for (let d = 0; d < half; d++) {
    const angle = position * frequency(ropeTheta ** (-d / half), ropeScaling);
    out[d] = head[d]! * Math.cos(angle) - head[d + half]! * Math.sin(angle);
    out[d + half] = head[d + half]! * Math.cos(angle) + head[d]! * Math.sin(angle);
  }
  return out;
}

/** Llama 3.1 keeps short wavelengths, divides long ones by the factor and blends in between. */
export function frequency(plain: number, scaling: DecoderConfig['ropeScaling']): number {
  if (scaling.type === 'none') return plain;
  if (scaling.type === 'linear') return plain / scaling.factor;
  const { factor, lowFreqFactor, highFreqFactor, originalContext } = scaling;
  const turns = (originalContext * plain) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return plain * (kept + (1 - kept) / factor);
}

function mlp(x: Vector, path: string, project: (name: string, x: Vector) => Vector): Vector {
  const gate = project(`${path}.mlp.gate_proj`, x);
  const up = project(`${path}.mlp.up_proj`, x);
  return project(
    `${path}.mlp.down_proj`,
    gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]!),
  );
}

function affine(weight: Float32Array, bias: Float32Array | undefined, x: Vector): Vector {
  return Float64Array.from({ length: weight.length / x.length }, (_, row) => {
    let total = bias?.[row] ?? 0;
    for (let i = 0; i < x.length; i++) total += weight[row * x.length + i]! * x[i]!;
    return total;
  });
}

function rmsNorm(x: Vector, weight: Vector, epsilon: number): Vector {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + epsilon);
  return x.map((value, i) => value * scale * weight[i]!);
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - largest));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

const dot = (a: Vector, b: Vector): number => a.reduce((total, value, i) => total + value * b[i]!, 0);
const sum = (a: Vector, b: Vector): Vector => a.map((value, i) => value + b[i]!);
const cut = (x: Vector, size: number): Vector[] =>
  Array.from({ length: x.length / size }, (_, i) => x.slice(i * size, (i + 1) * size));
