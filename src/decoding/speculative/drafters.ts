/** Opens what drafts for one sequence, with what all sequences of a model share. */

import type { DraftMethod } from '../../core/efficiency.js';
import { AdaptiveDrafter, type AdaptiveDrafterOptions } from './adaptive-drafter.js';
import { Calibrator } from './calibrator.js';
import type { SourceName } from './draft-source.js';
import type { DraftStores } from './draft-stores.js';
import type { Drafter } from './drafter.js';
import { FixedDrafter } from './fixed-drafter.js';
import { Earnings, LookingPace } from './looking-pace.js';
import { PublishedMethods } from './published/published-methods.js';

export type SequenceDraft = Omit<
  AdaptiveDrafterOptions,
  'calibrator' | 'pace' | 'store' | 'corpus' | 'sources'
> & {
  readonly method: DraftMethod;
  readonly scope: string;
  readonly temperature: number;
  readonly sources: readonly SourceName[];
};

/** Calibration differs with how much chance is in the choice; a table for each of these temperatures. */
const TEMPERATURE_BANDS = [0, 0.5, 1, Number.POSITIVE_INFINITY] as const;

export class Drafters {
  readonly #stores: DraftStores;
  readonly #published = new PublishedMethods();
  readonly #calibrators = TEMPERATURE_BANDS.map(() => new Calibrator());
  readonly #earnings = TEMPERATURE_BANDS.map(() => new Earnings());

  constructor(stores: DraftStores) {
    this.#stores = stores;
  }

  open({ method, scope, temperature, sources, ...rest }: SequenceDraft): Drafter {
    if (method !== 'adaptive') {
      return new FixedDrafter({ ...rest, method: this.#published.open(method, scope) });
    }
    const band = TEMPERATURE_BANDS.findIndex((limit) => temperature <= limit);
    return new AdaptiveDrafter({
      ...rest,
      sources: new Set(sources),
      calibrator: this.#calibrators[band]!,
      pace: new LookingPace(this.#earnings[band]!),
      store: this.#stores.scope(scope),
      corpus: this.#stores.corpus,
    });
  }
}
