import type { ErrorCode } from '../core/errors.js';
import type { FinishReason, GenerateEvent, Timings } from '../core/messages.js';

/** What the access log and the metrics tell of one request; filled in while it is served. */
export class RequestRecord {
  readonly startedAt = performance.now();
  /** The pattern of the route, never the path itself: a metric label must have few values. */
  route = 'unmatched';
  /** Place of the caller's API key in the configuration; 0 where there are none. */
  key = 0;
  model: string | undefined;
  /** A hash of the API key, if keys are asked for. */
  tenant: string | undefined;
  stream = false;
  errorCode: ErrorCode | undefined;
  promptTokens = 0;
  cachedTokens = 0;
  completionTokens = 0;
  readonly finishReasons: FinishReason[] = [];
  firstTokenMs: number | undefined;
  timings: Timings | undefined;
  /** Settles when a streamed reply is over; undefined for a reply that is sent at once. */
  streamed: Promise<void> | undefined;

  constructor(readonly id: string) {}

  get elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  observe(event: GenerateEvent): void {
    if (event.type === 'start') {
      this.promptTokens += event.promptTokens;
      this.cachedTokens += event.cachedTokens;
    } else if (event.type === 'delta') {
      this.completionTokens += event.tokenCount;
      if (event.tokenCount > 0) this.firstTokenMs ??= this.elapsedMs;
    } else if (event.type === 'finish') {
      this.finishReasons.push(event.reason);
    } else {
      this.timings = event.timings;
    }
  }
}
