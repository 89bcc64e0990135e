/**
 * Cached keys and values as graph inputs. A decoding batch reads the slab where it lies, up to its capacity; a
 * prompt chunk gets just the tokens of its lane, since copying them once is cheaper than attending to the rest.
 */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import { depthAt } from '../kv-cache/depth.js';
import { freeMemory } from '../kv-cache/free-memory.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import { pastNames } from '../models/decoder-ports.js';
import type { Phase } from '../models/phase.js';
import type { Feeds, Tensor } from './ort-session.js';
import { floats } from './ort-session.js';
import { headSizes } from './step-inputs.js';

export class CacheFeeds {
  readonly #cache: SlabLaneCache;
  readonly #config: DecoderConfig;
  readonly #blocks = new Map<string, Feeds>();
  #version = 0;
  /** What the last prompt chunk read; nobody does any more when the next step begins. */
  #packed = new Float32Array(0);

  constructor(cache: SlabLaneCache, config: DecoderConfig) {
    this.#cache = cache;
    this.#config = config;
  }

  /** The tokens of one lane, packed; its capacity is its length, which may be 0. */
  packed(lane: number, phase: Phase): Feeds {
    this.#freePacked();
    const { kvHeads, headDim } = this.#config;
    const { length, data } = this.#cache.read(lane, 0, this.#cache.length(lane));
    this.#packed = data;
    const shape = [...headSizes(phase, 1, kvHeads), length, headDim];
    const size = kvHeads * length * headDim;
    const part = (index: number) => floats(data.subarray(index * size, (index + 1) * size), shape);
    return this.#perLayer((layer) => ({ key: part(2 * layer), value: part(2 * layer + 1) }));
  }

  /** The rows of one lane, packed, in the layers `[from, to)`; the others get none. */
  layers(lane: number, { from, to }: { readonly from: number; readonly to: number }): Feeds {
    const { kvHeads, headDim } = this.#config;
    return this.#perLayer((layer) => {
      const rows = layer >= from && layer < to ? this.#cache.rows(lane, layer) : 0;
      const { keys, values } = this.#cache.readLayer(lane, layer, rows);
      const shape = [...headSizes('pruning', 1, kvHeads), rows, headDim];
      return { key: floats(keys, shape), value: floats(values, shape) };
    });
  }

  /** Tensors of steps over the memory of the slab, kept for as long as it stays where it is. */
  block(firstLane: number, lanes: number): Feeds {
    this.#freePacked();
    this.#forgetMovedSlab();
    const key = `${firstLane}:${lanes}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const { kvHeads, headDim } = this.#config;
    const feeds = this.#perLayer((layer) => {
      const shape = [...headSizes('step', lanes, kvHeads), depthAt(this.#cache.depth, layer), headDim];
      const { keys, values } = this.#cache.layerBlock(layer, firstLane, lanes);
      return { key: floats(unshared(keys), shape), value: floats(unshared(values), shape) };
    });
    if (!isShared(this.#cache.layerBlock(0, firstLane, lanes).keys)) this.#blocks.set(key, feeds);
    return feeds;
  }

  #freePacked(): void {
    if (this.#packed.length === 0) return;
    freeMemory(this.#packed);
    this.#packed = new Float32Array(0);
  }

  #forgetMovedSlab(): void {
    if (this.#cache.version === this.#version) return;
    this.#version = this.#cache.version;
    this.#blocks.clear();
  }

  #perLayer(tensorsOf: (layer: number) => { key: Tensor; value: Tensor }): Feeds {
    const feeds: Record<string, Tensor> = {};
    for (let layer = 0; layer < this.#config.layers; layer++) {
      const names = pastNames(layer);
      const { key, value } = tensorsOf(layer);
      feeds[names.key] = key;
      feeds[names.value] = value;
    }
    return feeds;
  }
}

/** Memory that kernels share, which the runtime does not read. */
const isShared = ({ buffer }: Float32Array): boolean => buffer instanceof SharedArrayBuffer;
const unshared = (values: Float32Array): Float32Array =>
  isShared(values) ? new Float32Array(values) : values;
