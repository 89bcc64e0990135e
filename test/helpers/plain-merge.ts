/** Token merging written a second time, one step, with nothing but loops over arrays of numbers. */

export interface PlainMerge {
  readonly tokens: readonly (readonly number[])[];
  /** For each output the input tokens that it is the mean of. */
  readonly clusters: readonly (readonly number[])[];
}

type Tokens = readonly (readonly number[])[];

export function plainMergeStep(tokens: Tokens, metric: Tokens, r: number): PlainMerge {
  const matches = plainMatches(metric);
  const count = Math.min(r, Math.floor(tokens.length / 2));
  const merged = matches.slice(0, count);
  const clusters = matches.slice(count).map(({ source }) => [source]);
  for (let destination = 1; destination < tokens.length; destination += 2) {
    const sources = merged.filter((match) => match.destination === destination).map(({ source }) => source);
    clusters.push([destination, ...sources.sort((a, b) => a - b)]);
  }
  return { clusters, tokens: clusters.map((cluster) => mean(cluster.map((token) => tokens[token]!))) };
}

export interface PlainMatch {
  readonly source: number;
  readonly destination: number;
  readonly strength: number;
}

/** Strongest first; ties to the lower index. */
export function plainMatches(metric: Tokens): PlainMatch[] {
  const unit = metric.map((token) => {
    const norm = Math.sqrt(token.reduce((sum, x) => sum + x * x, 0));
    return token.map((x) => (norm === 0 ? 0 : Math.fround(x / norm)));
  });
  const matches: PlainMatch[] = [];
  for (let source = 0; source < unit.length; source += 2) {
    let best: PlainMatch = { source, destination: 1, strength: Number.NEGATIVE_INFINITY };
    for (let destination = 1; destination < unit.length; destination += 2) {
      const strength = unit[source]!.reduce((sum, x, c) => sum + x * unit[destination]![c]!, 0);
      if (strength > best.strength) best = { source, destination, strength };
    }
    matches.push(best);
  }
  return matches.sort((a, b) => b.strength - a.strength || a.source - b.source);
}

const mean = (rows: readonly (readonly number[])[]): number[] =>
  rows[0]!.map((_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length);
