/** A checkpoint held as plain float32 arrays: read from a folder, changed by a test, written as a new folder. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint.js';
import {
  blocksPerRow,
  bytesPerBlock,
  dequantizeRows,
  quantizeRows,
} from '../../src/engine/quantization/block-quantizer.js';
import { fixtureFolder } from './fixture-model.js';
import { safetensorsBytes } from './safetensors-bytes.js';

export interface PlainTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface PlainCheckpoint {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, PlainTensor>;
}

export function readPlain(fixture: string): PlainCheckpoint {
  const checkpoint = openCheckpoint(fixtureFolder(fixture));
  try {
    const tensors = [...checkpoint.tensors].map(([name, info]): [string, PlainTensor] => [
      name,
      { shape: info.shape, data: checkpoint.read(info) },
    ]);
    return { config: checkpoint.config, tensors: new Map(tensors) };
  } finally {
    checkpoint.close();
  }
}

/** Writes `config.json` and one `model.safetensors` in F32. */
export function writePlain(folder: string, { config, tensors }: PlainCheckpoint): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const header: Record<string, object> = {};
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  writeFileSync(join(folder, 'model.safetensors'), safetensorsBytes(header, Buffer.concat(parts)));
  return folder;
}

/** The same checkpoint with some matrices replaced; a tied head becomes a matrix of its own first. */
export function withMatrices(
  plain: PlainCheckpoint,
  change: (name: string, tensor: PlainTensor) => Float32Array,
): PlainCheckpoint {
  const untied = untie(plain);
  const tensors = [...untied.tensors].map(([name, tensor]): [string, PlainTensor] =>
    isProjection(name) ? [name, { ...tensor, data: change(name, tensor) }] : [name, tensor],
  );
  return { ...untied, tensors: new Map(tensors) };
}

/** The same checkpoint with what the kernels of quantised models multiply with, as ordinary float32 weights. */
export function dequantized(plain: PlainCheckpoint, bits: 4 | 8): PlainCheckpoint {
  return withMatrices(plain, (_, { shape, data }) => {
    const [rows, columns] = shape as [number, number];
    const blocks = rows * blocksPerRow(columns);
    const codes = { packed: new Uint8Array(blocks * bytesPerBlock(bits)), scales: new Float32Array(blocks) };
    quantizeRows(data, rows, columns, bits, codes);
    return dequantizeRows(codes, rows, columns, bits);
  });
}

/** Weights that the graph multiplies with: projections and the head, not the embedding, norms or biases. */
const isProjection = (name: string): boolean => /(_proj|lm_head)\.weight$/.test(name);

function untie(plain: PlainCheckpoint): PlainCheckpoint {
  if (plain.config.tie_word_embeddings !== true) return plain;
  const embedding = plain.tensors.get('model.embed_tokens.weight')!;
  return {
    config: { ...plain.config, tie_word_embeddings: false },
    tensors: new Map([...plain.tensors, ['lm_head.weight', embedding]]),
  };
}
