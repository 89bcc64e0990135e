/** Where in the shared memory a decoder has its weights, and a step its rows. Plain data: it crosses into threads. */

import { peakRun } from '../../decoding/logit-row.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { blockSize, blocksPerRow } from '../quantization/block-quantizer.js';
import { partialBytes, scoreBytes, segmentTokens } from './attention-shape.js';
import type { KernelMemory } from './kernel-memory.js';
import { activationBlockBytes, groupOutputs } from './matmul.js';
import { meetingBytes } from './meeting.js';
import { groupsFor } from './packed-matrix.js';
import { turnFloats } from './rotary.js';

/** Most new rows of a step, of all lanes together. */
export const mostRows = 64;

export interface PackedMatrix {
  readonly address: number;
  readonly groups: number;
  /** Blocks of an input row. */
  readonly blocks: number;
  /** Address of as many floats as the groups have outputs. */
  readonly bias: number | undefined;
}

export interface LayerWeights {
  readonly inputNorm: number;
  readonly qkv: PackedMatrix;
  readonly queryNorm: number | undefined;
  readonly keyNorm: number | undefined;
  readonly attentionOut: PackedMatrix;
  readonly postAttentionNorm: number;
  /** Groups of gates and ups take turns. */
  readonly gateUp: PackedMatrix;
  readonly down: PackedMatrix;
}

export interface DecoderWeights {
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: number;
  readonly head: PackedMatrix;
}

/** Rows of float32, `stride` bytes apart: whole blocks, or of logits whole groups. */
export interface RowBuffer {
  readonly address: number;
  readonly stride: number;
}

export interface StepRoom {
  /** Rows, rows per lane, logit rows; then the number of the step, for which the other threads wait. */
  readonly control: number;
  readonly meeting: number;
  /** The residual stream; embeddings when the step begins. */
  readonly hidden: RowBuffer;
  readonly normed: RowBuffer;
  readonly projected: RowBuffer;
  readonly queries: RowBuffer;
  readonly mixed: RowBuffer;
  readonly gateUp: RowBuffer;
  readonly activated: RowBuffer;
  readonly logits: RowBuffer;
  /** `[rows, peaks]` without gaps, see `LogitRow`. */
  readonly peaks: number;
  /** Quantised rows: what projections and outputs multiply, and what leaves the gated activation. */
  readonly codes: RowBuffer;
  readonly activatedCodes: RowBuffer;
  /** See `turnFloats`. */
  readonly turns: RowBuffer;
  /** Per layer `[lanes, kvHeads, rows, headDim]`, `layerBytes` apart. */
  readonly newKeys: number;
  readonly newValues: number;
  readonly layerBytes: number;
  /** Per layer: addresses of the keys and the values of the first lane, bytes from one KV head to the next. */
  readonly strips: number;
  /** Per layer, the cached rows of each lane. */
  readonly lengths: number;
  /** Per lane, how many of its new rows are kept. */
  readonly counts: number;
  /** Per row: how many new rows of its lane it sees, and the address of the list of them. */
  readonly sights: number;
  /** Those lists. */
  readonly lists: number;
  /** Flat rows whose logits are asked for. */
  readonly asked: number;
  /** `[row, KV head, segment]` of what segments leave, of at most `mostSegments` of all rows together. */
  readonly partials: number;
  readonly mostSegments: number;
  /** For each thread, scores of a segment, and queries and a key whose norm was taken. */
  readonly scores: readonly number[];
  readonly normedHeads: readonly number[];
}

/** Enough for a step of all rows at 1,024 tokens each. */
const usualSegments = 16 * mostRows;

export const stripIntegers = 3;
export const controlIntegers = 4;

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

export function takeStepRoom(memory: KernelMemory, config: DecoderConfig, threads: number): StepRoom {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, layers, vocabSize, contextLength } = config;
  const rows = (width: number, multiple = blockSize): RowBuffer => {
    const stride = 4 * roundUp(width, multiple);
    return { address: memory.take(mostRows * stride), stride };
  };
  const perThread = (bytes: number): number[] => Array.from({ length: threads }, () => memory.take(bytes));
  const group = heads / kvHeads;
  const attended = heads * headDim;
  const codes = (width: number): RowBuffer => {
    const stride = blocksPerRow(width) * activationBlockBytes;
    return { address: memory.take(mostRows * stride), stride };
  };
  const mostSegments = Math.max(usualSegments, Math.ceil(contextLength / segmentTokens) + 1);
  const layerBytes = 4 * mostRows * kvHeads * headDim;
  return {
    control: memory.take(4 * controlIntegers),
    meeting: memory.take(meetingBytes),
    hidden: rows(hiddenSize),
    normed: rows(hiddenSize),
    projected: rows((heads + 2 * kvHeads) * headDim),
    queries: rows(attended),
    mixed: rows(attended),
    gateUp: rows(2 * groupsFor(intermediateSize) * groupOutputs),
    activated: rows(intermediateSize),
    logits: rows(vocabSize, groupOutputs),
    peaks: memory.take(4 * mostRows * Math.floor(vocabSize / peakRun)),
    codes: codes(Math.max(hiddenSize, attended)),
    activatedCodes: codes(intermediateSize),
    turns: rows(turnFloats(config)),
    newKeys: memory.take(layers * layerBytes),
    newValues: memory.take(layers * layerBytes),
    layerBytes,
    strips: memory.take(4 * layers * stripIntegers),
    lengths: memory.take(4 * layers * mostRows),
    counts: memory.take(4 * mostRows),
    sights: memory.take(8 * mostRows),
    lists: memory.take(4 * mostRows * mostRows),
    asked: memory.take(4 * mostRows),
    partials: memory.take(mostSegments * heads * partialBytes(headDim)),
    mostSegments,
    scores: perThread(scoreBytes(group)),
    normedHeads: perThread(4 * (group + 1) * headDim),
  };
}
