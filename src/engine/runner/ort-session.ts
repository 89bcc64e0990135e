/** The one file that touches onnxruntime: tensors in, tensors out, on the calling thread. */

import { env, InferenceSession, Tensor } from 'onnxruntime-node';

export { Tensor };

export const runtimeVersion = env.versions.node ?? env.versions.common;

/** What a session reads and writes, by name. A given output tensor is filled in place; null asks for a new one. */
export type Feeds = Readonly<Record<string, Tensor>>;
export type Fetches = Readonly<Record<string, Tensor | null>>;

export class OrtSession {
  readonly #session: InferenceSession;
  readonly #isProfiled: boolean;

  private constructor(session: InferenceSession, isProfiled: boolean) {
    this.#session = session;
    this.#isProfiled = isProfiled;
  }

  /**
   * `threads` is the number of cores that one step may use. With a `profilePrefix` the times of all nodes are
   * written to a file of that beginning on release.
   */
  static async load(path: string, threads: number, profilePrefix?: string): Promise<OrtSession> {
    const options: InferenceSession.SessionOptions = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      // The arena keeps the most that a step ever took, rounded up, and makes none of them faster.
      enableCpuMemArena: false,
      logSeverityLevel: 3,
      // Threads that go on spinning after a step steal time from the next session and from the HTTP thread.
      extra: { session: { force_spinning_stop: '1' } },
      ...(profilePrefix === undefined ? {} : { enableProfiling: true, profileFilePrefix: profilePrefix }),
    };
    return new OrtSession(await InferenceSession.create(path, options), profilePrefix !== undefined);
  }

  /** Blocks the calling thread until the step is done. */
  async run(feeds: Feeds, fetches: Fetches): Promise<Readonly<Record<string, Tensor>>> {
    return this.#session.run(feeds, fetches);
  }

  async release(): Promise<void> {
    if (this.#isProfiled) this.#session.endProfiling();
    await this.#session.release();
  }
}

export function floats(data: Float32Array, shape: readonly number[]): Tensor {
  return new Tensor('float32', data, shape);
}

export function integers(values: BigInt64Array, shape: readonly number[] = [values.length]): Tensor {
  return new Tensor('int64', values, shape);
}

export function booleans(values: readonly boolean[]): Tensor {
  return new Tensor('bool', values);
}
