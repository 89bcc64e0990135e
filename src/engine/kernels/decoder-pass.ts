/**
 * A step of the decoder as every thread runs it, each on its share of rows, heads or outputs, meeting after each part:
 *
 *   hidden ─ norm ─ qkv ─ attention ─ out ─(+ hidden)─ norm ─ gate, up ─ silu · ─ down ─(+ hidden)─ …
 *   … ─ asked rows ─ norm ─ head ─ logits
 */

import { peakRun } from '../../decoding/logit-row.js';
import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { blockSize, blocksPerRow } from '../quantization/block-quantizer.js';
import { AttentionPass } from './attention-pass.js';
import type { DecoderWeights, LayerWeights, PackedMatrix, RowBuffer, StepRoom } from './decoder-layout.js';
import type { KernelSet } from './kernel-set.js';
import { activationBlockBytes, groupOutputs } from './matmul.js';
import { groupBytes } from './packed-matrix.js';
import { PassThread } from './pass-thread.js';

/** What all threads of a model agree on. Plain data. */
export interface PassParts {
  readonly config: DecoderConfig;
  readonly weights: DecoderWeights;
  readonly room: StepRoom;
  readonly threads: number;
}

/** Groups of outputs that make a block of activations, or a run of logits. */
const groupsPerBlock = blockSize / groupOutputs;
const groupsPerRun = peakRun / groupOutputs;

export class DecoderPass {
  readonly #config: DecoderConfig;
  readonly #weights: DecoderWeights;
  readonly #room: StepRoom;
  readonly #thread: PassThread;
  readonly #attention: AttentionPass;

  constructor(
    { config, weights, room, threads }: PassParts,
    kernels: KernelSet,
    index: number,
    integers: Int32Array,
  ) {
    this.#config = config;
    this.#weights = weights;
    this.#room = room;
    this.#thread = new PassThread(kernels, index, threads, room, integers);
    this.#attention = new AttentionPass(config, room, this.#thread);
  }

  /** Returns when all threads are done. */
  run(): void {
    const [rows, perLane, logitRows] = [0, 1, 2].map((index) =>
      this.#thread.integer(this.#room.control, index),
    ) as [number, number, number];
    for (const [layer, weights] of this.#weights.layers.entries()) this.#layer(weights, layer, rows, perLane);
    if (logitRows > 0) this.#head(logitRows);
  }

  #layer(weights: LayerWeights, layer: number, rows: number, perLane: number): void {
    const { hidden, projected, mixed, codes, activatedCodes } = this.#room;
    this.#normalize(weights.inputNorm, rows);
    this.#multiply(weights.qkv, codes, projected, rows);
    this.#attention.run(weights, { layer, rows, perLane });
    this.#quantize(mixed, weights.attentionOut.blocks, rows);
    this.#multiply(weights.attentionOut, codes, hidden, rows, true);
    this.#normalize(weights.postAttentionNorm, rows);
    this.#gate(weights.gateUp, rows);
    this.#multiply(weights.down, activatedCodes, hidden, rows, true);
  }

  #head(logitRows: number): void {
    const { hidden, normed, asked, codes, logits } = this.#room;
    const [from, to] = this.#thread.rowShare(logitRows);
    for (let i = from; i < to; i++) {
      const row = hidden.address + this.#thread.integer(asked, i) * hidden.stride;
      const target = normed.address + i * normed.stride;
      this.#thread.kernels.rmsNorm(
        row,
        target,
        this.#weights.finalNorm,
        4 * this.#config.hiddenSize,
        1,
        0,
        0,
      );
    }
    const { head } = this.#weights;
    this.#quantize(normed, head.blocks, logitRows);
    const runs = this.#thread.share(Math.ceil(head.groups / groupsPerRun));
    const [first, end] = runs.map((run) => Math.min(head.groups, run * groupsPerRun)) as [number, number];
    this.#multiplyGroups(head, codes, logits, logitRows, [first, end], false);
    for (let row = 0; row < logitRows; row++) this.#findPeaks(row, runs);
    this.#thread.meet();
  }

  /** Of the logits that the thread itself has computed. */
  #findPeaks(row: number, [from, to]: readonly [number, number]): void {
    const { logits, peaks } = this.#room;
    const all = Math.floor(this.#config.vocabSize / peakRun);
    const logitsAt = logits.address + row * logits.stride + 4 * peakRun * from;
    this.#thread.kernels.peaks(logitsAt, Math.min(to, all) - from, peaks + 4 * (row * all + from));
  }

  /** The norm of the residual stream, quantised. */
  #normalize(weight: number, rows: number): void {
    const { hidden, normed } = this.#room;
    const { hiddenSize } = this.#config;
    const [from, to] = this.#thread.rowShare(rows);
    this.#thread.kernels.rmsNorm(
      hidden.address + from * hidden.stride,
      normed.address + from * normed.stride,
      weight,
      4 * hiddenSize,
      to - from,
      hidden.stride,
      normed.stride,
    );
    this.#quantize(normed, blocksPerRow(hiddenSize), rows);
  }

  #quantize({ address, stride }: RowBuffer, blocks: number, rows: number): void {
    const { codes } = this.#room;
    const [from, to] = this.#thread.rowShare(rows);
    const target = codes.address + from * codes.stride;
    this.#thread.kernels.quantize(address + from * stride, target, blocks, to - from, stride, codes.stride);
    this.#thread.meetAbout(rows);
  }

  /** All outputs of the quantised rows are there when it returns. */
  #multiply(matrix: PackedMatrix, codes: RowBuffer, out: RowBuffer, rows: number, adds = false): void {
    this.#multiplyGroups(matrix, codes, out, rows, this.#thread.share(matrix.groups), adds);
    this.#thread.meet();
  }

  #multiplyGroups(
    { address, blocks, bias }: PackedMatrix,
    codes: RowBuffer,
    out: RowBuffer,
    rows: number,
    [from, to]: readonly [number, number],
    adds: boolean,
  ): void {
    if (from >= to) return;
    const { matmul, matmulAdd, add } = this.#thread.kernels;
    const weights = address + from * groupBytes(blocks);
    const target = out.address + 4 * from * groupOutputs;
    const product = adds ? matmulAdd : matmul;
    product(weights, codes.address, target, to - from, blocks, rows, codes.stride, out.stride);
    if (bias === undefined) return;
    add(target, bias + 4 * from * groupOutputs, 4 * (to - from) * groupOutputs, rows, out.stride);
  }

  /** In shares of whole blocks of activations, so that a thread quantises what it computed. */
  #gate(matrix: PackedMatrix, rows: number): void {
    const { codes, gateUp, activated, activatedCodes } = this.#room;
    const { gated, quantize } = this.#thread.kernels;
    const pairs = matrix.groups / 2;
    const [first, end] = this.#thread.share(Math.ceil(pairs / groupsPerBlock));
    const [from, to] = [first * groupsPerBlock, Math.min(pairs, end * groupsPerBlock)];
    this.#multiplyGroups(matrix, codes, gateUp, rows, [2 * from, 2 * to], false);
    const source = gateUp.address + 8 * from * groupOutputs;
    const target = activated.address + 4 * from * groupOutputs;
    gated(source, target, Math.max(0, to - from), rows, gateUp.stride, activated.stride);
    const quantized = activatedCodes.address + first * activationBlockBytes;
    quantize(target, quantized, end - first, rows, activated.stride, activatedCodes.stride);
    this.#thread.meet();
  }
}
