/** How many rows a lane has or needs: the same number in all layers, or one for each. */

export type Depth = number | readonly number[];

export function depthAt(depth: Depth, layer: number): number {
  return typeof depth === 'number' ? depth : depth[layer]!;
}

export function mapDepth(depth: Depth, change: (rows: number) => number): Depth {
  return typeof depth === 'number' ? change(depth) : depth.map(change);
}

/** One number where all layers agree. */
export function evened(depth: Depth): Depth {
  if (typeof depth === 'number') return depth;
  return depth.every((rows) => rows === depth[0]) ? (depth[0] ?? 0) : depth;
}

/** The larger of the two in every layer. */
export function deepest(a: Depth, b: Depth): Depth {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
  const layers = typeof a === 'number' ? (b as readonly number[]).length : a.length;
  return Array.from({ length: layers }, (_, layer) => Math.max(depthAt(a, layer), depthAt(b, layer)));
}

/** True if no layer of `depth` is larger than that of `room`. */
export function fitsIn(depth: Depth, room: Depth): boolean {
  if (typeof depth === 'number') {
    return typeof room === 'number' ? depth <= room : room.every((rows) => depth <= rows);
  }
  return depth.every((rows, layer) => rows <= depthAt(room, layer));
}
