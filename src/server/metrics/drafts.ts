/**
 * vllm:spec_decode_num_drafts_total{model_name}                       steps that verified a draft
 * vllm:spec_decode_num_draft_tokens_total{model_name}                 drafted tokens
 * vllm:spec_decode_num_accepted_tokens_total{model_name}              of these accepted
 * vllm:spec_decode_num_accepted_tokens_per_pos_total{model_name,position}
 * trimtab_draft_plain_steps_total{model}                              steps without a draft
 * trimtab_draft_tokens_by_source_total{model,source,result}           drafted and accepted, by who proposed them
 * trimtab_draft_seconds{model}                                        histogram per request: time spent on drafting
 * trimtab_draft_nodes_per_step{model}                                 histogram per step: drafted tokens
 * trimtab_draft_rejected_by_grammar_total{model}                      proposals that a grammar did not allow
 *
 * Counted when a request ends that may draft, whether it did or not.
 */

import { Counter, Histogram, type Registry } from 'prom-client';
import type { DraftReceipt } from '../../core/draft-receipt.js';
import { draftSources } from '../../core/efficiency.js';
import type { GenerateEvent } from '../../core/messages.js';

const nodeBuckets = [0, 1, 2, 4, 8, 16, 24, 32, 64];
const secondBuckets = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3];

export class DraftMetrics {
  private readonly drafts: Counter<'model_name'>;
  private readonly drafted: Counter<'model_name'>;
  private readonly accepted: Counter<'model_name'>;
  private readonly perPosition: Counter<'model_name' | 'position'>;
  private readonly plainSteps: Counter<'model'>;
  private readonly bySource: Counter<'model' | 'source' | 'result'>;
  private readonly seconds: Histogram<'model'>;
  private readonly nodes: Histogram<'model'>;
  private readonly rejectedByGrammar: Counter<'model'>;

  constructor(registry: Registry) {
    const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
    const vllm = (name: string, help: string) =>
      counter(`vllm:spec_decode_num_${name}_total`, help, ['model_name'] as const);
    this.drafts = vllm('drafts', 'Steps that verified a draft.');
    this.drafted = vllm('draft_tokens', 'Drafted tokens.');
    this.accepted = vllm('accepted_tokens', 'Drafted tokens that were accepted.');
    this.perPosition = counter(
      'vllm:spec_decode_num_accepted_tokens_per_pos_total',
      'Accepted tokens by their place in the draft.',
      ['model_name', 'position'] as const,
    );
    this.plainSteps = counter('trimtab_draft_plain_steps_total', 'Steps without a draft.', [
      'model',
    ] as const);
    this.bySource = counter(
      'trimtab_draft_tokens_by_source_total',
      'Drafted and accepted tokens by who proposed them.',
      ['model', 'source', 'result'] as const,
    );
    this.seconds = new Histogram({
      name: 'trimtab_draft_seconds',
      help: 'Time that a request spent on drafting.',
      labelNames: ['model'],
      buckets: secondBuckets,
      registers: [registry],
    });
    this.nodes = new Histogram({
      name: 'trimtab_draft_nodes_per_step',
      help: 'Drafted tokens of a step.',
      labelNames: ['model'],
      buckets: nodeBuckets,
      registers: [registry],
    });
    this.rejectedByGrammar = counter(
      'trimtab_draft_rejected_by_grammar_total',
      'Proposals that a grammar did not allow.',
      ['model'] as const,
    );
  }

  observe(model: string, event: GenerateEvent): void {
    const receipt = event.type === 'end' ? event.usage.efficiency?.draftVerification : undefined;
    if (receipt === undefined) return;
    this.drafts.inc({ model_name: model }, receipt.draftedSteps);
    this.drafted.inc({ model_name: model }, receipt.draftedTokens);
    this.accepted.inc({ model_name: model }, receipt.acceptedTokens);
    this.plainSteps.inc({ model }, receipt.plainSteps);
    this.seconds.observe({ model }, receipt.draftMs / 1000);
    receipt.acceptedByDepth.forEach((count, position) => {
      if (count > 0) this.perPosition.inc({ model_name: model, position: String(position) }, count);
    });
    this.rejectedByGrammar.inc({ model }, receipt.rejectedByGrammar);
    receipt.steps.forEach((byAccepted, nodes) => {
      const steps = byAccepted.reduce((sum, count) => sum + count, 0);
      for (let step = 0; step < steps; step++) this.nodes.observe({ model }, nodes);
    });
    this.observeSources(model, receipt);
  }

  private observeSources(model: string, receipt: DraftReceipt): void {
    for (const source of draftSources) {
      if (receipt.draftedBySource[source] === 0) continue;
      this.bySource.inc({ model, source, result: 'drafted' }, receipt.draftedBySource[source]);
      this.bySource.inc({ model, source, result: 'accepted' }, receipt.acceptedBySource[source]);
    }
  }
}
