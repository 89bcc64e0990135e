/**
 * A tiny deterministic "model": the keys and values of a token name the token and its position, and the logits
 * are a hash of every row that the lane holds. A lane that was mixed up, truncated, copied or reused wrongly
 * gives other tokens.
 */

import { setImmediate } from 'node:timers/promises';
import type { KvRows } from '../../src/engine/kv-cache/lane-cache.js';
import { SlabLaneCache } from '../../src/engine/kv-cache/slab-lane-cache.js';
import type { ForwardRequest, Runner } from '../../src/engine/runner/runner.js';
import { BYTE_EOS, BYTE_VOCAB_SIZE } from './byte-tokenizer.js';

const LAYERS = 2;
const KV_HEADS = 2;
const HEAD_DIM = 2;

export interface FakeRunnerOptions {
  readonly contextLength?: number;
  /** End of sequence is the likeliest token after one in so many prefixes; 0 for never. */
  readonly eosEvery?: number;
  /** Runs before every forward; what it throws, the forward throws. */
  readonly onForward?: (request: ForwardRequest) => void | Promise<void>;
}

export class FakeRunner implements Runner {
  readonly vocabSize = BYTE_VOCAB_SIZE;
  readonly contextLength: number;
  readonly shape = {
    layers: LAYERS,
    hiddenSize: 4,
    intermediateSize: 8,
    heads: 2,
    kvHeads: KV_HEADS,
    headDim: HEAD_DIM,
    vocabSize: BYTE_VOCAB_SIZE,
  };
  readonly rowsAreExact = false;
  readonly cache = new SlabLaneCache({ layers: LAYERS, kvHeads: KV_HEADS, headDim: HEAD_DIM, step: 16 });
  /** Every forward so far, oldest first. */
  readonly forwards: ForwardRequest[] = [];
  closed = false;
  /** The likeliest output tokens, one after the other, instead of those of the hash. */
  script: readonly number[] = [];
  /** This token gets logits that are not numbers. */
  poisonedToken: number | undefined;
  readonly #eosEvery: number;
  #scriptStart: number | undefined;
  readonly #onForward: (request: ForwardRequest) => void | Promise<void>;

  constructor({ contextLength = 512, eosEvery = 0, onForward = () => {} }: FakeRunnerOptions = {}) {
    this.contextLength = contextLength;
    this.#eosEvery = eosEvery;
    this.#onForward = onForward;
  }

  /** The likeliest tokens of the next output. */
  say(script: readonly number[]): void {
    this.script = script;
    this.#scriptStart = undefined;
  }

  async forward(request: ForwardRequest): Promise<Float32Array> {
    this.forwards.push(request);
    await this.#onForward(request);
    await setImmediate();
    const { firstLane, lanes, logitRows } = request;
    const logits = new Float32Array(logitRows.length * this.vocabSize);
    for (let lane = 0; lane < lanes; lane++) this.#runLane(request, firstLane + lane, logits);
    return logits;
  }

  /** A row of a tree is computed on its own: the cached tokens, then its path. */
  #runLane(
    { firstLane, rows, tokenIds, logitRows, trees }: ForwardRequest,
    lane: number,
    logits: Float32Array,
  ) {
    const first = (lane - firstLane) * rows;
    const base = this.cache.length(lane);
    const paths: number[][] = [];
    const computed: KvRows[] = [];
    for (let row = 0; row < (trees?.counts[lane - firstLane] ?? rows); row++) {
      const parent = trees?.parents[first + row] ?? row - 1;
      const path = [...(paths[parent] ?? []), row];
      paths.push(path);
      this.cache.truncate(lane, base);
      for (const member of path) this.#append(lane, tokenIds[first + member]!);
      computed.push(this.cache.read(lane, this.cache.length(lane) - 1, this.cache.length(lane)));
      const wanted = logitRows.indexOf(first + row);
      if (wanted < 0) continue;
      const out = logits.subarray(wanted * this.vocabSize, (wanted + 1) * this.vocabSize);
      this.#fillLogits(lane, out);
      if (tokenIds[first + row] === this.poisonedToken) out.fill(Number.NaN);
    }
    this.cache.truncate(lane, base);
    for (const kv of computed) this.cache.append(lane, kv);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  #append(lane: number, token: number): void {
    const position = this.cache.length(lane);
    const rows = (salt: number) =>
      Float32Array.from(
        { length: KV_HEADS * HEAD_DIM },
        (_, i) => (token + 1) * 64 + i + salt + position * 0.25,
      );
    const layers = [...Array(LAYERS).keys()];
    this.cache.appendRows(
      lane,
      1,
      1,
      layers.map((layer) => rows(8 * layer)),
      layers.map((layer) => rows(8 * layer + 4)),
    );
  }

  #fillLogits(lane: number, logits: Float32Array): void {
    const state = hash(this.cache.read(lane, 0, this.cache.length(lane)).data);
    for (let id = 0; id < logits.length; id++) {
      const noise = (mix(state ^ Math.imul(id + 1, 0x9e3779b1)) >>> 8) / 2 ** 24;
      const printable = id >= 0x20 && id < 0x7f;
      logits[id] = 4 * noise + (printable ? 4 : 0);
    }
    if (this.script.length > 0) {
      this.#scriptStart ??= this.cache.length(lane);
      logits[this.script[this.cache.length(lane) - this.#scriptStart]!] = 12;
    }
    if (this.#eosEvery > 0 && state % this.#eosEvery === 0) logits[BYTE_EOS] = 12;
  }
}

function hash(floats: Float32Array): number {
  let state = 0x811c9dc5;
  for (const float of floats) state = mix(state ^ Math.round(float * 4));
  return state >>> 0;
}

function mix(value: number): number {
  let x = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
