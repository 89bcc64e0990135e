/** The tiles of images, made in a thread of their own so that no decoding sequence waits for a photograph. */

import type { Worker } from 'node:worker_threads';
import { deserializeError, TrimtabError } from '../../core/errors.js';
import { type Deferred, deferred } from '../host/deferred.js';
import { spawnThread } from '../spawn-thread.js';
import type { VisualPlan } from './families/image-family.js';
import type { Picture, Size } from './picture.js';
import type { ImageFile, TileReply, TileRequest, TileSetup, VisualSource } from './tile-protocol.js';

type Result = readonly Picture[] | readonly number[];
/** A request without its key. */
type Job = TileRequest extends infer R ? (R extends TileRequest ? Omit<R, 'key'> : never) : never;

export class TileMaker {
  readonly #setup: TileSetup;
  readonly #pending = new Map<number, Deferred<Result>>();
  #thread: Worker | undefined;
  #lastKey = 0;

  constructor(setup: TileSetup) {
    this.#setup = setup;
  }

  /** @throws {TrimtabError} invalid_image for a damaged file; engine_failure if the thread ends meanwhile */
  async make(source: VisualSource, plan: VisualPlan): Promise<readonly Picture[]> {
    return (await this.#run({ job: 'tiles', source, plan })) as readonly Picture[];
  }

  /** What is lost of what is seen at `best` at each of `sizes`; see `lostDetail`. Throws like `make`. */
  async lostDetail(file: ImageFile, best: Size, sizes: readonly Size[]): Promise<readonly number[]> {
    return (await this.#run({ job: 'lost detail', file, best, sizes })) as readonly number[];
  }

  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #run(job: Job): Promise<Result> {
    const key = ++this.#lastKey;
    const result = deferred<Result>();
    this.#pending.set(key, result);
    this.#thread ??= this.#start();
    this.#thread.postMessage({ ...job, key });
    return result.promise;
  }

  /** On the first image, and again on the next one after it has failed. */
  #start(): Worker {
    const entry = new URL('./tile-thread.js', import.meta.url);
    const thread = spawnThread(entry, 'images', this.#setup);
    thread.unref();
    thread.on('message', (reply: TileReply) => this.#receive(reply));
    thread.on('error', (cause) => this.#ended(thread, cause));
    thread.on('exit', () => this.#ended(thread, undefined));
    return thread;
  }

  #receive(reply: TileReply): void {
    const pending = this.#pending.get(reply.key);
    this.#pending.delete(reply.key);
    if ('error' in reply) pending?.reject(deserializeError(reply.error));
    else pending?.resolve(reply.result);
  }

  /** Of an error and the exit that follows it only the first counts: another thread may have started in between. */
  #ended(thread: Worker, cause: unknown): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    const error = new TrimtabError('engine_failure', 'The thread that decodes images has ended.', { cause });
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}
