/** Rotary embedding settings, from `rope_parameters` (transformers 5) or `rope_theta` and `rope_scaling` (4). */

import type { DecoderKeys, RopeKeys } from './config-schema.js';
import { invalidCheckpoint, unsupportedModel } from './files.js';

export type RopeScaling =
  | { readonly type: 'none' }
  /** Positions divided by `factor`. */
  | { readonly type: 'linear'; readonly factor: number }
  /**
   * Llama 3.1: frequencies with a wavelength over `originalContext / lowFreqFactor` are divided by `factor`,
   * those under `originalContext / highFreqFactor` kept, those between interpolated.
   */
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalContext: number;
    };

export interface RopeConfig {
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
}

const defaultTheta = 10_000;

export function parseRope(file: string, keys: DecoderKeys, contextLength: number): RopeConfig {
  const rope = { ...keys.rope_scaling, ...keys.rope_parameters };
  const inner = rope.rope_theta;
  const outer = keys.rope_theta;
  if (inner !== undefined && outer !== undefined && inner !== outer) {
    throw invalidCheckpoint(file, `rope_theta is ${outer}, but ${inner} in the rotary parameters`);
  }
  return { ropeTheta: inner ?? outer ?? defaultTheta, ropeScaling: parseScaling(file, rope, contextLength) };
}

function parseScaling(file: string, rope: RopeKeys, contextLength: number): RopeScaling {
  const type = rope.rope_type ?? rope.type ?? 'default';
  refuse(file, 'partial_rotary_factor', rope.partial_rotary_factor ?? 1, 1);
  if (type === 'default') return refuseUntyped(file, rope);
  if (type === 'linear') return { type, factor: need(file, rope, 'factor') };
  if (type !== 'llama3') throw unsupportedModel(file, `rope type ${JSON.stringify(type)} is not supported`);
  const lowFreqFactor = need(file, rope, 'low_freq_factor');
  const highFreqFactor = need(file, rope, 'high_freq_factor');
  if (highFreqFactor <= lowFreqFactor) {
    throw invalidCheckpoint(
      file,
      `high_freq_factor ${highFreqFactor} should be over low_freq_factor ${lowFreqFactor}`,
    );
  }
  const originalContext = rope.original_max_position_embeddings ?? contextLength;
  return { type, factor: need(file, rope, 'factor'), lowFreqFactor, highFreqFactor, originalContext };
}

/** A factor without a type, or settings per layer type, are not the plain rotary embedding. */
function refuseUntyped(file: string, rope: RopeKeys): RopeScaling {
  refuse(file, 'rope factor', rope.factor ?? 1, 1);
  const nested = Object.entries(rope).find(([, value]) => typeof value === 'object' && value !== null);
  if (nested !== undefined) throw unsupportedModel(file, `rotary parameter ${nested[0]} is not supported`);
  return { type: 'none' };
}

function refuse(file: string, key: string, value: number, neutral: number): void {
  if (value !== neutral) throw unsupportedModel(file, `${key} ${value} is not supported`);
}

function need(file: string, rope: RopeKeys, key: 'factor' | 'low_freq_factor' | 'high_freq_factor'): number {
  const value = rope[key];
  if (value === undefined) throw invalidCheckpoint(file, `the rotary parameters of this type need ${key}`);
  return value;
}
