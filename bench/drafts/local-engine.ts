/** The engine of a model in this thread, asked as its worker asks it. */

import type { GenerateEvent, GenerateRequest } from '../../src/core/messages.js';
import { cacheBytes, engineConfigSchema } from '../../src/engine/config.js';
import { EventStream } from '../../src/engine/host/event-stream.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { Engine } from '../../src/engine/worker/engine.js';
import type { RequestOutput } from '../../src/engine/worker/protocol.js';

const KEY_VALUE_BYTES = 2 ** 30;

/** Nothing is kept on disk, and no prompt is found in the prefix cache. */
const config = engineConfigSchema.parse({
  drafts: { persist: false },
  prefixCacheBytes: 0,
  kvCacheBytes: KEY_VALUE_BYTES,
});

export class LocalEngine {
  readonly #streams = new Map<number, EventStream>();
  readonly #engine: Engine;
  #lastKey = 0;

  constructor(model: LoadedModel) {
    this.#engine = new Engine(model, config, cacheBytes(config, KEY_VALUE_BYTES), {
      outputs: (outputs) => {
        for (const output of outputs) this.#receive(output);
      },
      stats: () => {},
      broken: (error) => {
        for (const stream of this.#streams.values()) stream.fail(asError(error));
      },
    });
  }

  generate(request: GenerateRequest): AsyncIterable<GenerateEvent> {
    const key = ++this.#lastKey;
    const stream = new EventStream();
    this.#streams.set(key, stream);
    this.#engine.submit(key, request);
    return stream;
  }

  #receive(output: RequestOutput): void {
    const stream = this.#streams.get(output.key)!;
    if ('error' in output) stream.fail(new Error(output.error.message));
    else stream.push(output.event);
    if (!('error' in output) && output.event.type !== 'end') return;
    stream.end();
    this.#streams.delete(output.key);
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
