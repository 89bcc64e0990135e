/**
 * Where the threads of a step wait for each other: a counter of those that arrived, and a round that the last of them
 * ends. They spin, since they mostly arrive within a microsecond. Who waits longer may go on spinning or sleep: being
 * woken takes up to a tick of the scheduler, which is long where the other only lent its core to the HTTP thread for a
 * moment; but where a neighbour took its core, it comes back no sooner than this thread makes room. Which of the two
 * it is turns out by trying.
 */

import { type Code, drop, i32, loop, trap, type Variable, waitWhile, when } from './wasm/code.js';
import { Kernel } from './wasm/module.js';

/** Arrived, round, asleep, naps to come: four integers. */
export const meetingBytes = 16;
const [round, asleep, naps] = [4, 8, 12];
const shortSpins = 20_000;
/** Some more than half a millisecond. */
const longSpins = 400_000;
/** After long spins in vain, so many waits sleep at once. */
const napsInTurn = 64;
const napNanoseconds = 1_000_000;
/** Then another thread must have died, and the step with it. */
const mostNaps = 60_000;

export function meetingKernel(): Kernel {
  const kernel = new Kernel('meet', ['place', 'threads']);
  const { place, threads } = kernel.parameters;
  const { now, left } = kernel.variables('i32', 'now', 'left');
  const goesOn = i32.eq(i32.atomicLoad(place.get, round), now.get);
  const spin = (times: number): Code => [
    left.set(times),
    loop(left.advance(-1), i32.and(goesOn, i32.lessThan(0, left.get))),
  ];
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
      spin(shortSpins),
      when(
        i32.and(goesOn, i32.lessThan(i32.load(place.get, naps), 1)),
        spin(longSpins),
        when(goesOn, i32.store(place.get, napsInTurn, naps)),
      ),
      when(goesOn, sleep(place.get, now.get, left, goesOn)),
    ),
  );
}

/** Threads may overwrite each other's count of naps, which is a guess anyway. */
function sleep(place: Code, now: Code, left: Variable, goesOn: Code): Code {
  return [
    i32.store(place, i32.sub(i32.load(place, naps), 1), naps),
    drop(i32.atomicAdd(place, 1, asleep)),
    left.set(mostNaps),
    loop(
      [
        waitWhile(i32.add(place, round), now, napNanoseconds),
        left.advance(-1),
        when(i32.eq(left.get, 0), trap),
      ],
      goesOn,
    ),
    drop(i32.atomicAdd(place, -1, asleep)),
  ];
}
