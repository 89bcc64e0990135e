/** One stream from many. */

export interface Merged<T> {
  /** Index of the stream that the value came from. */
  readonly source: number;
  readonly value: T;
}

interface Step<T> {
  readonly source: number;
  readonly iterator: AsyncIterator<T>;
  readonly result: IteratorResult<T>;
}

/**
 * Yields the values of all sources as they come, with at most `limit` sources open at a time. The first failure,
 * or a reader who stops early, ends them all.
 */
export async function* merge<T>(
  sources: ReadonlyArray<() => AsyncIterable<T>>,
  limit: number,
): AsyncGenerator<Merged<T>> {
  const open = new Set<AsyncIterator<T>>();
  const pending = new Map<number, Promise<Step<T>>>();
  let opened = 0;
  const advance = (source: number, iterator: AsyncIterator<T>) => {
    const step = iterator.next().then((result) => ({ source, iterator, result }));
    step.catch(() => {}); // reported by the race below, unless another source failed first
    pending.set(source, step);
  };
  const openNext = () => {
    const iterator = sources[opened]!()[Symbol.asyncIterator]();
    open.add(iterator);
    advance(opened++, iterator);
  };
  try {
    while (opened < Math.min(limit, sources.length)) openNext();
    while (pending.size > 0) {
      const { source, iterator, result } = await Promise.race(pending.values());
      pending.delete(source); // put back at the end, so that no source starves another
      if (!result.done) {
        yield { source, value: result.value };
        advance(source, iterator);
        continue;
      }
      open.delete(iterator);
      if (opened < sources.length) openNext();
    }
  } finally {
    // Not awaited: a source that is busy ends when its owner aborts it, which may come after this.
    for (const iterator of open) iterator.return?.().catch(() => {});
  }
}
