/**
 * trimtab_draft_cost_ratio{model,rows}             time of a step of so many rows, as measured, over that of one row
 * trimtab_draft_store_bytes{model,layer}           what drafting remembers: trigrams, history; base for a corpus
 * trimtab_draft_store_evictions_total{model}       tri-grams and tenants that were dropped for want of room
 * trimtab_draft_suspended_sequences{model}         sequences that look for drafts only now and then
 * trimtab_draft_predicted_over_realised_tokens{model}  tokens that drafted steps promised over those that came
 * trimtab_draft_numerics_class{model,class}        1 for the class of the model, see docs/draft-verification.md
 *
 * State at the time of a scrape.
 */

import { Counter, Gauge, type Registry } from 'prom-client';
import type { Backend, DraftStats } from '../../core/backend.js';

type Series<Label extends string> = (
  stats: DraftStats,
) => ReadonlyArray<readonly [Record<Label, string>, number]>;

export function registerDraftState(registry: Registry, backend: Backend): void {
  gauge(
    'trimtab_draft_cost_ratio',
    'Time of a step by rows, over that of one row.',
    'rows',
    ({ costRatios }) => costRatios.map(([rows, ratio]) => [{ rows: String(rows) }, ratio]),
  );
  gauge('trimtab_draft_store_bytes', 'Bytes of what drafting remembers.', 'layer', ({ storeBytes }) =>
    Object.entries(storeBytes).map(([layer, bytes]) => [{ layer }, bytes]),
  );
  gauge(
    'trimtab_draft_suspended_sequences',
    'Sequences that look for drafts only now and then.',
    undefined,
    ({ suspended }) => [[{}, suspended]],
  );
  gauge(
    'trimtab_draft_predicted_over_realised_tokens',
    'Tokens that drafted steps promised over those that came; 1 is well calibrated.',
    undefined,
    ({ predictedOverRealised: ratio }) => (ratio === undefined ? [] : [[{}, ratio]]),
  );
  gauge('trimtab_draft_numerics_class', '1 for the class of the model.', 'class', ({ numericsClass }) => [
    [{ class: numericsClass }, 1],
  ]);
  new Counter({
    name: 'trimtab_draft_store_evictions_total',
    help: 'Tri-grams and tenants that were dropped for want of room.',
    labelNames: ['model'],
    registers: [registry],
    collect() {
      this.reset(); // the engine keeps the running total
      for (const { model, drafts } of backend.stats()) this.inc({ model }, drafts?.storeEvictions ?? 0);
    },
  });

  function gauge<Label extends string>(
    name: string,
    help: string,
    label: Label | undefined,
    series: Series<Label>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: ['model', ...(label === undefined ? [] : [label])],
      registers: [registry],
      collect() {
        this.reset();
        for (const { model, drafts } of backend.stats()) {
          if (drafts === undefined) continue;
          for (const [labels, value] of series(drafts)) this.set({ model, ...labels }, value);
        }
      },
    });
  }
}
