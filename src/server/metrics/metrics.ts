/** All metrics of one server, in one registry. */

import { Registry } from 'prom-client';
import type { Backend } from '../../core/backend.js';
import { registerDraftState } from './draft-state.js';
import { DraftMetrics } from './drafts.js';
import { EfficiencyMetrics } from './efficiency.js';
import { registerEngineMetrics } from './engine.js';
import { registerEventLoopMetrics } from './event-loop.js';
import { LatencyMetrics } from './latency.js';
import { registerModelServerProtocol } from './model-server-protocol.js';
import { registerProcessMetrics } from './process.js';
import { RequestMetrics } from './requests.js';
import { TokenMetrics } from './tokens.js';

export class Metrics {
  readonly registry = new Registry();
  readonly requests = new RequestMetrics(this.registry);
  readonly tokens = new TokenMetrics(this.registry);
  readonly efficiency = new EfficiencyMetrics(this.registry);
  readonly drafts = new DraftMetrics(this.registry);
  readonly latency = new LatencyMetrics(this.registry);
  private readonly stopEventLoopMonitor: () => void;

  constructor(backend: Backend) {
    registerEngineMetrics(this.registry, backend);
    registerDraftState(this.registry, backend);
    registerModelServerProtocol(this.registry, backend);
    registerProcessMetrics(this.registry);
    this.stopEventLoopMonitor = registerEventLoopMetrics(this.registry);
  }

  close(): void {
    this.stopEventLoopMonitor();
    this.registry.clear();
  }
}
