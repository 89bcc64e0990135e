/** Chances as if every source spoke for itself: each is judged alone, and the most confident one is believed. */

import { Calibrator } from '../../src/decoding/speculative/calibrator.js';
import type { Slot } from '../../src/decoding/speculative/draft-source.js';
import { type Features, featureOf, featuresOf } from '../../src/decoding/speculative/features.js';

export class NaiveCalibrator extends Calibrator {
  readonly #bySlot = [new Calibrator(), new Calibrator(), new Calibrator()];

  override probability(features: Features): number {
    return Math.max(
      ...this.#bySlot.map((calibrator, slot) => calibrator.probability(alone(features, slot as Slot))),
    );
  }

  override learn(features: Features, hit: boolean): void {
    this.#bySlot.forEach((calibrator, slot) => {
      calibrator.learn(alone(features, slot as Slot), hit);
    });
  }
}

const alone = (features: Features, slot: Slot): Features => featuresOf(featureOf(features, slot), 0, 0);
