/**
 * Where the threads of a step wait for each other: a counter of those that arrived, and a round that the last of them
 * ends. They spin, since they mostly arrive within a microsecond; who waits long sleeps, so that a thread that was
 * put off its core gets it back.
 */

import { drop, i32, loop, trap, waitWhile, when } from './wasm/code.js';
import { Kernel } from './wasm/module.js';

/** Arrived, round, asleep: three integers. */
export const meetingBytes = 12;
const [round, asleep] = [4, 8];
const spins = 20_000;
const napNanoseconds = 1_000_000;
/** Then another thread must have died, and the step with it. */
const mostNaps = 60_000;

export function meetingKernel(): Kernel {
  const kernel = new Kernel('meet', ['place', 'threads']);
  const { place, threads } = kernel.parameters;
  const { now, left } = kernel.variables('i32', 'now', 'left');
  const goesOn = i32.eq(i32.atomicLoad(place.get, round), now.get);
  return kernel.body(
    now.set(i32.atomicLoad(place.get, round)),
    when(
      i32.eq(i32.add(i32.atomicAdd(place.get, 1), 1), threads.get),
      i32.atomicStore(place.get, 0),
      drop(i32.atomicAdd(place.get, 1, round)),
      when(i32.atomicLoad(place.get, asleep), drop(i32.notify(place.get, threads.get, round))),
      left.set(-1),
    ),
    when(
      i32.eq(left.get, 0),
      left.set(spins),
      loop(left.advance(-1), i32.and(goesOn, i32.lessThan(0, left.get))),
      when(
        goesOn,
        drop(i32.atomicAdd(place.get, 1, asleep)),
        left.set(mostNaps),
        loop(
          [
            waitWhile(i32.add(place.get, round), now.get, napNanoseconds),
            left.advance(-1),
            when(i32.eq(left.get, 0), trap),
          ],
          goesOn,
        ),
        drop(i32.atomicAdd(place.get, -1, asleep)),
      ),
    ),
  );
}
