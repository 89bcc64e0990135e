/**
 * Floating-point operations of a decoder, a multiply-add counted as two. Attention counts the full square of new
 * queries and new keys, as the graph computes it.
 */

export interface DecoderShape {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
}

export interface LayerWork {
  /** Rows that enter the layer. */
  readonly rows: number;
  /** Keys that they see, cached ones included. */
  readonly keys: number;
  /** Rows that go on behind the attention scores; the others are pruned there. All if absent. */
  readonly kept?: number;
}

export function layerFlops(
  { hiddenSize, intermediateSize, heads, kvHeads, headDim }: DecoderShape,
  { rows, keys, kept = rows }: LayerWork,
): number {
  const queryWidth = heads * headDim;
  const projections = 2 * rows * hiddenSize * (queryWidth + 2 * kvHeads * headDim);
  const scores = 2 * rows * keys * queryWidth;
  const mixing = 2 * kept * keys * queryWidth;
  const output = 2 * kept * queryWidth * hiddenSize;
  const gatedMlp = 6 * kept * hiddenSize * intermediateSize;
  return projections + scores + mixing + output + gatedMlp;
}

/** The output head, per row of logits. */
export function headFlops({ hiddenSize, vocabSize }: DecoderShape): number {
  return 2 * hiddenSize * vocabSize;
}

/** Page rank over the attention of one layer: a softmax and five products of a vector and a matrix per head. */
export function scoringFlops({ heads }: DecoderShape, rows: number): number {
  return 16 * heads * rows * rows;
}

/** One merging step over a group of `tokens`: its similarities, then the sums. */
export function mergeStepFlops(tokens: number, width: number): number {
  return 2 * Math.ceil(tokens / 2) * Math.floor(tokens / 2) * width + 4 * tokens * width;
}
