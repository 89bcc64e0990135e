/** A pass takes a graph and returns the rewritten one; it never changes its argument. */

import type { Graph } from '../ir.js';

export interface Pass {
  readonly name: string;
  run(graph: Graph): Graph;
}
