/** Tables of the rotary position embedding (RoFormer, arXiv 2104.09864 section 3.4), with the scalings of the configuration. */

import type { DecoderConfig, RopeScaling } from '../checkpoint/decoder-config.js';

/**
 * `[rows, headDim / 2]` each. Row i is position i; row `identity` turns nothing; row `identity + 1 + i` is position
 * i for queries of steps, which it also scales by headDim^-½.
 */
export interface RotaryTables {
  readonly rows: number;
  readonly identity: number;
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** Tables for positions `[0, length)`. */
export function rotaryTables(
  { ropeTheta, ropeScaling, headDim }: DecoderConfig,
  length: number,
): RotaryTables {
  const half = headDim / 2;
  const scale = headDim ** -0.5;
  const frequencies = inverseFrequencies(ropeTheta, headDim, ropeScaling);
  const rows = 2 * length + 1;
  const cos = new Float32Array(rows * half).fill(1, length * half, (length + 1) * half);
  const sin = new Float32Array(rows * half);
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      const [plain, scaled] = [position * half + i, (length + 1 + position) * half + i];
      cos[plain] = Math.cos(angle);
      sin[plain] = Math.sin(angle);
      cos[scaled] = scale * Math.cos(angle);
      sin[scaled] = scale * Math.sin(angle);
    }
  }
  return { rows, identity: length, cos, sin };
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
