/** Chances as if every source spoke for itself: each is judged alone, and the most confident one is believed. */

import { Calibrator, type Features } from '../../src/decoding/speculative/calibrator.js';

export class NaiveCalibrator extends Calibrator {
  readonly #bySlot = [new Calibrator(), new Calibrator(), new Calibrator()];

  override probability(features: Features): number {
    return Math.max(
      ...this.#bySlot.map((calibrator, slot) => calibrator.probability([features[slot]!, 0, 0])),
    );
  }

  override learn(features: Features, hit: boolean): void {
    this.#bySlot.forEach((calibrator, slot) => {
      calibrator.learn([features[slot]!, 0, 0], hit);
    });
  }
}
