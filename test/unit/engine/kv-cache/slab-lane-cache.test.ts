import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlabLaneCache } from '../../../../src/engine/kv-cache/slab-lane-cache.js';

const shape = { layers: 2, kvHeads: 3, headDim: 4, step: 8 };
const floatsPerToken = 2 * shape.layers * shape.kvHeads * shape.headDim;

/** What a forward returns for one lane: every float names its token, so that any mix-up shows. */
function freshRows(tokens: readonly number[], layer: number, value: boolean): Float32Array {
  const rows: number[] = [];
  for (let head = 0; head < shape.kvHeads; head++) {
    for (const token of tokens) {
      for (let d = 0; d < shape.headDim; d++) {
        rows.push(token * 1000 + ((layer * 2 + Number(value)) * shape.kvHeads + head) * shape.headDim + d);
      }
    }
  }
  return Float32Array.from(rows);
}

function appendTokens(cache: SlabLaneCache, lane: number, tokens: readonly number[]): void {
  const layers = Array.from({ length: shape.layers }, (_, layer) => layer);
  cache.appendRows(
    lane,
    1,
    tokens.length,
    layers.map((layer) => freshRows(tokens, layer, false)),
    layers.map((layer) => freshRows(tokens, layer, true)),
  );
}

/** Reads the lane token by token and checks that all floats of a row belong to the same token. */
function tokensOf(cache: SlabLaneCache, lane: number): number[] {
  return Array.from({ length: cache.length(lane) }, (_, position) => {
    const { data } = cache.read(lane, position, position + 1);
    const token = Math.floor(data[0]! / 1000);
    expect([...data]).toEqual(Array.from({ length: floatsPerToken }, (_, i) => token * 1000 + i));
    return token;
  });
}

type Action =
  | { kind: 'append'; lane: number; tokens: number[] }
  | { kind: 'truncate'; lane: number; length: number }
  | { kind: 'keep'; lane: number; from: number; rows: number[] }
  | { kind: 'swap'; lane: number; other: number }
  | { kind: 'copy'; lane: number; other: number; count: number }
  | { kind: 'resize'; lanes: number; capacity: number };

const lane = fc.nat(3);
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), lane, tokens: fc.array(fc.nat(5000), { maxLength: 7 }) }),
  fc.record({ kind: fc.constant('truncate' as const), lane, length: fc.nat(12) }),
  fc.record({
    kind: fc.constant('keep' as const),
    lane,
    from: fc.nat(6),
    rows: fc.uniqueArray(fc.nat(9), { maxLength: 5 }).map((rows) => rows.sort((a, b) => a - b)),
  }),
  fc.record({ kind: fc.constant('swap' as const), lane, other: lane }),
  fc.record({ kind: fc.constant('copy' as const), lane, other: lane, count: fc.nat(9) }),
  fc.record({
    kind: fc.constant('resize' as const),
    lanes: fc.integer({ min: 1, max: 5 }),
    capacity: fc.nat(40),
  }),
);

/** Runs the action on plain arrays of tokens; false where the slab must refuse it. */
function applyToModel(model: number[][], action: Action, capacity: number): boolean {
  const grow = (lane: number, tokens: readonly number[]) => {
    if (model[lane] === undefined || model[lane].length + tokens.length > capacity) return false;
    model[lane] = [...model[lane], ...tokens];
    return true;
  };
  switch (action.kind) {
    case 'append':
      return grow(action.lane, action.tokens);
    case 'copy': {
      const source = model[action.lane];
      return source !== undefined && grow(action.other, source.slice(0, action.count));
    }
    case 'truncate': {
      if (model[action.lane] === undefined) return false;
      model[action.lane]!.length = Math.min(model[action.lane]!.length, action.length);
      return true;
    }
    case 'keep': {
      const { from, rows } = action;
      const tokens = model[action.lane];
      if (tokens === undefined || from + (rows.at(-1) ?? -1) >= tokens.length) return false;
      model[action.lane] = [...tokens.slice(0, from), ...rows.map((row) => tokens[from + row]!)];
      return true;
    }
    case 'swap': {
      const [a, b] = [model[action.lane], model[action.other]];
      if (a === undefined || b === undefined) return action.lane === action.other;
      model[action.lane] = b;
      model[action.other] = a;
      return true;
    }
    case 'resize': {
      const rounded = Math.ceil(action.capacity / shape.step) * shape.step;
      const kept = Array.from({ length: action.lanes }, (_, i) => (model[i] ?? []).slice(0, rounded));
      model.splice(0, model.length, ...kept);
      return true;
    }
  }
}

function applyToCache(cache: SlabLaneCache, action: Action): void {
  if (action.kind === 'append') appendTokens(cache, action.lane, action.tokens);
  if (action.kind === 'truncate') cache.truncate(action.lane, action.length);
  if (action.kind === 'keep') cache.keep(action.lane, action.from, action.rows);
  if (action.kind === 'swap') cache.swap(action.lane, action.other);
  if (action.kind === 'resize') cache.resize(action.lanes, action.capacity);
  if (action.kind === 'copy') {
    const rows = cache.read(action.lane, 0, cache.length(action.lane));
    cache.append(action.other, rows, Math.min(action.count, rows.length));
  }
}

describe('SlabLaneCache', () => {
  it('behaves like one list of tokens per lane under any sequence of operations', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const cache = new SlabLaneCache(shape);
        const model: number[][] = [];
        for (const next of [{ kind: 'resize', lanes: 2, capacity: 8 } as const, ...actions]) {
          if (applyToModel(model, next, cache.capacity)) applyToCache(cache, next);
          else expect(() => applyToCache(cache, next)).toThrow(RangeError);
          expect(model).toEqual(model.map((_, index) => tokensOf(cache, index)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('appends the rows of several lanes behind the length of each', () => {
    const cache = new SlabLaneCache(shape);
    cache.resize(3, 8);
    appendTokens(cache, 1, [7, 8]);
    appendTokens(cache, 2, [9]);
    const both = (layer: number, value: boolean) =>
      Float32Array.from([...freshRows([1], layer, value), ...freshRows([2], layer, value)]);
    cache.appendRows(1, 2, 1, [both(0, false), both(1, false)], [both(0, true), both(1, true)]);
    expect([0, 1, 2].map((lane) => tokensOf(cache, lane))).toEqual([[], [7, 8, 1], [9, 2]]);
  });

  it('hands out views of the slab itself, lane-major', () => {
    const cache = new SlabLaneCache(shape);
    cache.resize(3, 8);
    appendTokens(cache, 1, [5]);
    const block = cache.layerBlock(1, 1, 2);
    const laneFloats = shape.kvHeads * cache.capacity * shape.headDim;
    expect(block.keys.length).toBe(2 * laneFloats);
    expect([...block.keys.subarray(0, 4)]).toEqual([...freshRows([5], 1, false).subarray(0, 4)]);
    expect(block.values.buffer).toBe(cache.layerBlock(1, 0, 1).values.buffer);
  });

  it('counts bytes with the capacity rounded up to the step', () => {
    const cache = new SlabLaneCache(shape);
    expect(cache.bytesPerToken).toBe(floatsPerToken * 4);
    expect(cache.bytesFor(3, 9)).toBe(3 * 16 * cache.bytesPerToken);
    cache.resize(3, 9);
    expect(cache.layerBlock(0, 0, 3).keys.byteLength * 2 * shape.layers).toBe(cache.bytesFor(3, 9));
  });

  it('names lane and capacity when a lane is full', () => {
    const cache = new SlabLaneCache(shape);
    cache.resize(1, 8);
    appendTokens(cache, 0, [1, 2, 3, 4, 5, 6, 7, 8]);
    expect(() => appendTokens(cache, 0, [9])).toThrow('lane 0 needs 9 tokens, its capacity is 8');
  });
});
