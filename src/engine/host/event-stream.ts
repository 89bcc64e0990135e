/** Events of one request between the port that delivers them and the one consumer that iterates. */

import type { GenerateEvent } from '../../core/messages.js';

type Ending = { readonly error?: Error };

export class EventStream implements AsyncIterable<GenerateEvent> {
  #events: GenerateEvent[] = [];
  #ending: Ending | undefined;
  #wake: (() => void) | undefined;

  push(event: GenerateEvent): void {
    this.#events.push(event);
    this.#wake?.();
  }

  /** What was pushed before is still delivered. */
  end(): void {
    this.#close({});
  }

  fail(error: Error): void {
    this.#close({ error });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<GenerateEvent> {
    for (;;) {
      const events = this.#events;
      this.#events = [];
      yield* events;
      if (this.#events.length > 0) continue;
      if (this.#ending?.error !== undefined) throw this.#ending.error;
      if (this.#ending !== undefined) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #close(ending: Ending): void {
    this.#ending ??= ending;
    this.#wake?.();
  }
}
