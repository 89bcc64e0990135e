import type { LogitsProcessor } from './logits-processor.js';

/** Rules out all tokens but those that a constraint allows. */
export const allowedTokens: LogitsProcessor = {
  isActive: (_params, context) => context.allowed !== undefined,
  apply: (logits, _params, context) => keepAllowed(logits, context.allowed!),
};

/** One bit a token; a word without bits, the usual case in a strict grammar, is one fill. */
export function keepAllowed(logits: Float32Array, allowed: Uint32Array): void {
  for (let word = 0, id = 0; id < logits.length; word++, id += 32) {
    const bits = allowed[word]!;
    if (bits === 0xffffffff) continue;
    const end = Math.min(id + 32, logits.length);
    if (bits === 0) logits.fill(Number.NEGATIVE_INFINITY, id, end);
    else keepBits(logits, bits, id, end);
  }
}

function keepBits(logits: Float32Array, bits: number, start: number, end: number): void {
  for (let id = start; id < end; id++) {
    if (((bits >>> (id - start)) & 1) === 0) logits[id] = Number.NEGATIVE_INFINITY;
  }
}
