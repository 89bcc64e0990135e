/** Server-sent events: `data:` frames, comment lines while idle, errors as frames, `[DONE]` at the end. */

import type { ServerContext, ServerDependencies } from './context.js';
import { noteFailure } from './failure.js';
import { errorBody } from './openai/error-body.js';

type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const ping = encoder.encode(': ping\n\n');
const done = encoder.encode('data: [DONE]\n\n');

const headers = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
};

/**
 * Sends the headers with the first chunk, so that a failure before it is still a plain HTTP error; a chunk that
 * takes longer than the keep-alive interval gets them (and a ping) ahead of it.
 */
export async function streamReply(
  deps: ServerDependencies,
  c: ServerContext,
  chunks: AsyncGenerator<object>,
): Promise<Response> {
  const first = chunks.next();
  await settled(first, deps.config.keepAliveIntervalMs);
  const stream = new EventStream(deps, c, chunks, first);
  c.var.record.streamed = stream.ended;
  return c.body(new ReadableStream(stream), 200, headers);
}

async function settled(promise: Promise<unknown>, atMostMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, atMostMs);
  });
  await Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

/** Reads a chunk only when the client takes one, so that a slow reader does not fill the memory. */
class EventStream {
  /** Settles when the last frame is handed over or the client is gone. */
  readonly ended: Promise<void>;
  private markEnded!: () => void;
  private isOpen = true;
  private pinger: NodeJS.Timeout | undefined;

  constructor(
    private readonly deps: ServerDependencies,
    private readonly c: ServerContext,
    private readonly chunks: AsyncGenerator<object>,
    private first: Promise<IteratorResult<object>> | undefined,
  ) {
    this.ended = new Promise((resolve) => {
      this.markEnded = resolve;
    });
  }

  start(controller: ReadableStreamDefaultController<Bytes>): void {
    this.pinger = setInterval(() => {
      if ((controller.desiredSize ?? 0) > 0) controller.enqueue(ping);
    }, this.deps.config.keepAliveIntervalMs);
  }

  async pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    try {
      const { value, done: isLast } = await this.nextChunk();
      if (!this.isOpen) return;
      if (isLast) return this.finish(controller);
      controller.enqueue(frame(value));
      this.pinger?.refresh();
    } catch (error) {
      this.fail(controller, error);
    }
  }

  async cancel(): Promise<void> {
    if (!this.isOpen) return;
    this.c.var.record.errorCode ??= 'client_closed_request';
    this.end();
    await this.chunks.return(undefined);
  }

  private nextChunk(): Promise<IteratorResult<object>> {
    const next = this.first ?? this.chunks.next();
    this.first = undefined;
    return next;
  }

  private fail(controller: ReadableStreamDefaultController<Bytes>, error: unknown): void {
    if (!this.isOpen) return;
    const failure = noteFailure(this.deps, this.c, error);
    controller.enqueue(frame(errorBody(failure)));
    this.finish(controller);
  }

  private finish(controller: ReadableStreamDefaultController<Bytes>): void {
    controller.enqueue(done);
    controller.close();
    this.end();
  }

  private end(): void {
    this.isOpen = false;
    clearInterval(this.pinger);
    this.markEnded();
  }
}

function frame(value: object): Bytes {
  return encoder.encode(`data: ${JSON.stringify(value)}\n\n`);
}
