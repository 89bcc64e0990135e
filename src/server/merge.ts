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
 * Yields the values of all sources as they come, with at most `limit` sources open at a time. The first failure
 * ends the whole; whoever stops early must also stop the sources (they are opened here, but not owned).
 */
export async function* merge<T>(
  sources: ReadonlyArray<() => AsyncIterable<T>>,
  limit: number,
): AsyncGenerator<Merged<T>> {
  const pending = new Map<number, Promise<Step<T>>>();
  const advance = (source: number, iterator: AsyncIterator<T>) => {
    const step = iterator.next().then((result) => ({ source, iterator, result }));
    step.catch(() => {}); // reported by the race below, unless another source failed first
    pending.set(source, step);
  };
  let opened = 0;
  const open = () => {
    advance(opened, sources[opened]!()[Symbol.asyncIterator]());
    opened++;
  };
  while (opened < Math.min(limit, sources.length)) open();
  while (pending.size > 0) {
    const { source, iterator, result } = await Promise.race(pending.values());
    pending.delete(source); // put back at the end, so that no source starves another
    if (!result.done) {
      yield { source, value: result.value };
      advance(source, iterator);
    } else if (opened < sources.length) open();
  }
}
