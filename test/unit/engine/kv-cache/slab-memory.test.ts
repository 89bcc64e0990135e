import { describe, expect, it } from 'vitest';
import { SlabMemory } from '../../../../src/engine/kv-cache/slab-memory.js';

const shape = { layers: 2, kvHeads: 2, headDim: 4 };
const nothing = () => 0;

describe('the memory of the slab', () => {
  it('grows in place, and counts what it never used', () => {
    const memory = new SlabMemory(shape);
    memory.reshape(1, 8, 0, nothing);
    const { floats, untouchedBytes } = memory;
    memory.floats[memory.offset(3, 0, 1, 7)] = 5;
    memory.reshape(2, [8, 10], 1, () => 8);
    expect(memory.floats).toBe(floats);
    expect(memory.untouchedBytes).toBeLessThan(untouchedBytes);
    expect(memory.floats[memory.offset(3, 0, 1, 7)]).toBe(5);
  });

  it('gives a large buffer back when little of it is needed', () => {
    const memory = new SlabMemory(shape);
    memory.reshape(4, 64, 0, nothing);
    const { floats } = memory;
    memory.floats[memory.offset(2, 0, 1, 3)] = 7;
    memory.reshape(1, 16, 1, () => 4);
    expect(floats).toHaveLength(0);
    expect(memory.floats[memory.offset(2, 0, 1, 3)]).toBe(7);
    memory.reshape(0, 0, 0, nothing);
    expect(memory.floats).toHaveLength(0);
  });
});
