/**
 * Gives the memory of a large array back at once. The collector would come for it some time later, since what it
 * counts is the little object in front of it.
 */

import { MessageChannel } from 'node:worker_threads';

const { port1: nowhere, port2: other } = new MessageChannel();
other.close();
nowhere.unref();

/** A buffer that is transferred through a closed port belongs to nobody. Views on it have length 0 from then on. */
export function freeMemory({ buffer }: Float32Array<ArrayBuffer>): void {
  nowhere.postMessage(null, [buffer]);
}
