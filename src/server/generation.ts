/** Runs the prompts of one HTTP request on the backend, watched by the log record and the metrics. */

import type { ModelInfo } from '../core/backend.js';
import { addDraftReceipts } from '../core/draft-receipt.js';
import { TrimtabError } from '../core/errors.js';
import type { GenerateEvent, GenerateRequest, Usage } from '../core/messages.js';
import type { DraftMetricsLevel } from './config.js';
import type { ServerContext, ServerDependencies } from './context.js';
import { type Merged, merge } from './merge.js';

export type PromptEvent = Merged<GenerateEvent>;

/** What every reply to one request has in common. */
export interface ReplyHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly fingerprint: string;
  /** Whether `completion_tokens` includes the tokens of a `prediction` that were rejected. */
  readonly countRejected: boolean;
  readonly draftMetrics: DraftMetricsLevel;
}

/** `draftMetrics` is what the request says of them. */
export function replyHead(
  { config }: ServerDependencies,
  id: string,
  model: ModelInfo,
  draftMetrics: DraftMetricsLevel | undefined,
): ReplyHead {
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    fingerprint: model.fingerprint,
    countRejected: config.countRejectedPrediction,
    draftMetrics: draftMetrics ?? config.perRequestSpecDecodeMetrics,
  };
}

/** @throws {TrimtabError} model_not_found */
export function requireModel({ backend }: ServerDependencies, id: string): ModelInfo {
  const model = backend.models().find((candidate) => candidate.id === id);
  if (model !== undefined) return model;
  const served = backend
    .models()
    .slice(0, 10)
    .map((candidate) => candidate.id)
    .join(', ');
  throw new TrimtabError(
    'model_not_found',
    `model: no model named "${id.slice(0, 100)}" here; served: ${served}`,
    {
      param: 'model',
    },
  );
}

/**
 * Yields the events of all prompts as they come; ends only after the `end` of each of them. Leaving the loop
 * early, like a client that goes away, cancels what still runs.
 * @throws {TrimtabError} whatever the backend throws; client_closed_request when the client is gone
 */
export async function* generate(
  deps: ServerDependencies,
  c: ServerContext,
  requests: readonly GenerateRequest[],
  { model, draftMetrics }: Pick<ReplyHead, 'model' | 'draftMetrics'>,
): AsyncGenerator<PromptEvent> {
  const record = c.var.record;
  const observeLatency = requests.map(() => deps.metrics.latency.observer(model, () => record.elapsedMs));
  const cancel = new AbortController();
  const signal = AbortSignal.any([c.req.raw.signal, cancel.signal]);
  const { tenant } = record;
  const added = { tenant, draftsStepByStep: draftMetrics === 'detailed' };
  const sources = requests.map((request) => () => deps.backend.generate({ ...request, ...added }, signal));
  let ended = 0;
  try {
    for await (const item of merge(sources, deps.config.promptConcurrency)) {
      record.observe(item.value);
      deps.metrics.tokens.observe(model, item.value);
      deps.metrics.efficiency.observe(model, item.value);
      deps.metrics.drafts.observe(model, item.value);
      observeLatency[item.source]!(item.value);
      if (item.value.type === 'end') ended++;
      yield item;
    }
  } finally {
    cancel.abort();
  }
  if (ended < requests.length) throw endedEarly(c.req.raw.signal);
}

function endedEarly(signal: AbortSignal): TrimtabError {
  if (signal.aborted) return new TrimtabError('client_closed_request', 'The client closed the connection.');
  return new TrimtabError('engine_failure', 'The engine ended the generation before it was complete.');
}

/** What is told besides the counts belongs to chats, which have one prompt. */
export function addUsage(a: Usage, b: Usage): Usage {
  return {
    ...a,
    ...b,
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    ...efficiencyOf(a, b),
  };
}

function efficiencyOf(a: Usage, b: Usage): Pick<Usage, 'efficiency'> {
  if (a.efficiency === undefined || b.efficiency === undefined) {
    const efficiency = a.efficiency ?? b.efficiency;
    return efficiency === undefined ? {} : { efficiency };
  }
  const [first, second] = [a.efficiency.draftVerification, b.efficiency.draftVerification];
  const both =
    first === undefined || second === undefined ? (first ?? second) : addDraftReceipts(first, second);
  return {
    efficiency: { ...a.efficiency, ...b.efficiency, ...(both !== undefined && { draftVerification: both }) },
  };
}

export const noUsage: Usage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };
