/** Tables of the rotary position embedding (RoFormer, arXiv 2104.09864 section 3.4), with the scalings of the configuration. */

import type { DecoderConfig, RopeScaling } from '../checkpoint/decoder-config.js';

/** `[rows, headDim / 2]` each; row i is position i, and the last row turns nothing. */
export interface RotaryTables {
  readonly rows: number;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Tables for positions `[0, length)`, plus one row with cos 1 and sin 0. */
export function rotaryTables(
  { ropeTheta, ropeScaling, headDim }: DecoderConfig,
  length: number,
): RotaryTables {
  const half = headDim / 2;
  const frequencies = inverseFrequencies(ropeTheta, headDim, ropeScaling);
  const cos = new Float32Array((length + 1) * half).fill(1, length * half);
  const sin = new Float32Array((length + 1) * half);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { rows: length + 1, cos, sin };
}

/** In float32, as the reference keeps them. */
export function inverseFrequencies(theta: number, headDim: number, scaling: RopeScaling): Float32Array {
  const plain = Float32Array.from({ length: headDim / 2 }, (_, i) => 1 / theta ** ((2 * i) / headDim));
  return plain.map((frequency) => scaled(frequency, scaling));
}

function scaled(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === 'none') return frequency;
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const { factor, lowFreqFactor, highFreqFactor, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength > originalContext / lowFreqFactor) return frequency / factor;
  if (wavelength < originalContext / highFreqFactor) return frequency;
  const share = (originalContext / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - share) * frequency) / factor + share * frequency;
}
