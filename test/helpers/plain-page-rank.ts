/** The importance of tokens written as loops over numbers in float64. */

/** Causal logits `[head][query][key]`, keys up to the query. The result is `[tokens]`. */
export function plainPageRank(logits: readonly (readonly (readonly number[])[])[], steps = 5): number[] {
  const tokens = logits[0]!.length;
  const squares = new Array<number>(tokens).fill(0);
  for (const head of logits) {
    const flow = head.map((row) => softmax(row.map((logit) => logit / 0.1)));
    let mass = new Array<number>(tokens).fill(1 / tokens);
    for (let step = 0; step < steps; step++) {
      const next = new Array<number>(tokens).fill(0);
      flow.forEach((row, query) => {
        row.forEach((share, key) => {
          next[key]! += mass[query]! * share;
        });
      });
      mass = next;
    }
    mass.forEach((value, token) => {
      squares[token]! += value * value;
    });
  }
  return squares.map((sum) => Math.sqrt(sum / logits.length));
}

function softmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const weights = row.map((value) => Math.exp(value - largest));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / total);
}

/** The `count` most important of `tokens`, ascending; of equal ones those that come first. */
export function mostImportant(
  tokens: readonly number[],
  importance: readonly number[],
  count: number,
): number[] {
  return [...tokens.keys()]
    .sort((a, b) => importance[b]! - importance[a]! || a - b)
    .slice(0, count)
    .map((place) => tokens[place]!)
    .sort((a, b) => a - b);
}
