/**
 * The graphs of a decoder, which lay the same layers out for different work.
 *
 * `step` graphs run one or a few tokens of many lanes against a large cache, `prompt` graphs many tokens of one
 * lane: what is cheap to copy differs. `pruning` graphs run prompts that drop tokens between layers, and `ragged`
 * graphs are step graphs for lanes whose layers therefore hold different tokens.
 */

export type Phase = 'step' | 'prompt' | 'pruning' | 'ragged';
export const phases: readonly Phase[] = ['step', 'prompt', 'pruning', 'ragged'];

export const isStep = (phase: Phase): boolean => phase === 'step' || phase === 'ragged';
/** Whether every KV head of every lane is a sequence of its own. */
export const splitsHeads = (phase: Phase): boolean => phase !== 'prompt';
