/** Which tokens of its prompt a lane holds in each layer, once some were dropped between layers. */

import { lowerBound } from './lower-bound.js';

/** Rows of consecutive tokens that wait in front of the attention of a layer. */
export interface WaitingRows {
  readonly tokens: number;
  /** Queries, keys and values, not yet turned: `[tokens, h·(g+2)·d]`. */
  readonly heads: Float32Array;
  /** `[tokens, width]` */
  readonly residual: Float32Array;
}

/** All rows of a prompt that have passed the layers before `layer` and were not dropped there, in pieces. */
export interface Waiting {
  readonly layer: number;
  /** Their tokens; absent if none was dropped yet. */
  readonly tokens?: Int32Array;
  readonly rows: readonly WaitingRows[];
}

export interface PrunedPromptParts {
  readonly waiting?: Waiting | undefined;
  readonly base?: PrunedPrompt | undefined;
}

/** Never changes, so copies of a lane share it. */
export class PrunedPrompt {
  /** Tokens before the first one that could be dropped; without a base every layer has them. */
  readonly first: number;
  /** Tokens of the prompt so far. Those behind it are in every layer again. */
  readonly length: number;
  /** While layers from one on have none of the tokens from `first` on. */
  readonly waiting: Waiting | undefined;
  /** An earlier prompt of the same conversation, of which some were dropped already. */
  readonly base: PrunedPrompt | undefined;
  readonly #kept: readonly Int32Array[];

  /** `kept`: per layer the tokens of `[first, length)` that it holds, ascending. */
  constructor(
    first: number,
    length: number,
    kept: readonly Int32Array[],
    { waiting, base }: PrunedPromptParts = {},
  ) {
    this.first = first;
    this.length = length;
    this.#kept = kept;
    this.waiting = waiting;
    this.base = base;
  }

  /** The tokens behind `first`, of which only the layers before the one where they wait have rows. */
  static waitingBehind(first: number, layers: number, waiting: Waiting, base?: PrunedPrompt): PrunedPrompt {
    const tokens = waiting.rows.reduce((sum, rows) => sum + rows.tokens, 0);
    const all = Int32Array.from({ length: tokens }, (_, i) => first + i);
    const none = new Int32Array(0);
    const kept = Array.from({ length: layers }, (_, layer) => (layer < waiting.layer ? all : none));
    return new PrunedPrompt(first, first + tokens, kept, { waiting, base });
  }

  /** Tokens before the first one that was ever dropped. */
  get start(): number {
    return this.base?.start ?? this.first;
  }

  /** Rows of the layer that belong to the first `tokens` of the sequence. */
  rows(layer: number, tokens: number): number {
    if (tokens <= this.first) return this.base?.rows(layer, tokens) ?? tokens;
    const before = this.rows(layer, this.first);
    const kept = this.#kept[layer]!;
    if (tokens >= this.length) return before + kept.length + tokens - this.length;
    return before + lowerBound(kept, tokens);
  }

  /** The tokens of `[first, length)` that the layer holds. */
  kept(layer: number): Int32Array {
    return this.#kept[layer]!;
  }
}

/** Rows `[from, to)` of all that wait, as one piece. */
export function waitingRows({ rows }: Waiting, from: number, to: number): WaitingRows {
  const tokens = to - from;
  const part = (pick: (piece: WaitingRows) => Float32Array): Float32Array => {
    const width = pick(rows[0]!).length / rows[0]!.tokens;
    const out = new Float32Array(tokens * width);
    let first = 0;
    for (const piece of rows) {
      const [begin, end] = [Math.max(from - first, 0), Math.min(to - first, piece.tokens)];
      if (begin < end)
        out.set(pick(piece).subarray(begin * width, end * width), (first + begin - from) * width);
      first += piece.tokens;
    }
    return out;
  };
  return { tokens, heads: part(({ heads }) => heads), residual: part(({ residual }) => residual) };
}
