/** The slab as graph inputs: tensors over its memory, kept for as long as the slab stays where it is. */

import type { DecoderConfig } from '../checkpoint/decoder-config.js';
import type { SlabLaneCache } from '../kv-cache/slab-lane-cache.js';
import { pastNames } from '../models/layers.js';
import type { Feeds, Tensor } from './ort-session.js';
import { floats } from './ort-session.js';

export class CacheFeeds {
  readonly #cache: SlabLaneCache;
  readonly #config: DecoderConfig;
  readonly #empty: Feeds;
  readonly #blocks = new Map<string, Feeds>();
  #memory: ArrayBufferLike | undefined;

  constructor(cache: SlabLaneCache, config: DecoderConfig) {
    this.#cache = cache;
    this.#config = config;
    const nothing = floats(new Float32Array(0), [1, config.kvHeads, 0, config.headDim]);
    this.#empty = this.#perLayer(() => ({ key: nothing, value: nothing }));
  }

  /** A cache of capacity 0, for one lane that starts. */
  empty(): Feeds {
    return this.#empty;
  }

  block(firstLane: number, lanes: number): Feeds {
    this.#forgetMovedSlab();
    const key = `${firstLane}:${lanes}`;
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const { kvHeads, headDim } = this.#config;
    const shape = [lanes, kvHeads, this.#cache.capacity, headDim];
    const feeds = this.#perLayer((layer) => {
      const { keys, values } = this.#cache.layerBlock(layer, firstLane, lanes);
      return { key: floats(keys, shape), value: floats(values, shape) };
    });
    this.#blocks.set(key, feeds);
    return feeds;
  }

  #forgetMovedSlab(): void {
    const memory = this.#cache.layerBlock(0, 0, 0).keys.buffer;
    if (memory === this.#memory) return;
    this.#memory = memory;
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
