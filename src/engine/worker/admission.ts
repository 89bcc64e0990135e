/** Checks that need the model: what can never run is refused before it waits. */

import { TrimtabError } from '../../core/errors.js';
import type { GenerateRequest, Prompt } from '../../core/messages.js';
import { type PruningPlan, transientBytes } from '../sequence/pruning-plan.js';
import type { DecoderShape } from '../visual-tokens/flops.js';

export interface AdmissionLimits {
  /** Rows of the embedding table. */
  readonly vocabSize: number;
  /** Longest prompt plus completion, in tokens. */
  readonly maxLength: number;
}

/** Where an error about the prompt points. */
export function promptParam(prompt: Prompt): string {
  return prompt.kind === 'chat' ? 'messages' : 'prompt';
}

/** Throws `invalid_request` or `context_length_exceeded`. */
export function checkRequest(
  request: GenerateRequest,
  promptIds: readonly number[],
  limits: AdmissionLimits,
): void {
  checkTokenIds(request, promptIds, limits.vocabSize);
  checkLimits(request);
  checkLength(request, promptIds.length, limits.maxLength);
}

function checkTokenIds(request: GenerateRequest, promptIds: readonly number[], vocabSize: number): void {
  const check = (ids: readonly number[], param: string) => {
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (wrong === undefined) return;
    throw new TrimtabError('invalid_request', `${param}: token id ${wrong} is not in 0–${vocabSize - 1}.`, {
      param,
    });
  };
  check(promptIds, promptParam(request.prompt));
  check(request.stop.tokenIds, 'stop_token_ids');
  check(
    request.sampling.logitBias.map(([id]) => id),
    'logit_bias',
  );
}

function checkLimits(request: GenerateRequest): void {
  if (request.stop.maxTokens !== 0 || request.echo) return;
  throw new TrimtabError('invalid_request', 'max_tokens may be 0 only together with echo.', {
    param: 'max_tokens',
  });
}

function checkLength(request: GenerateRequest, promptTokens: number, maxLength: number): void {
  const param = promptParam(request.prompt);
  if (promptTokens === 0) throw new TrimtabError('invalid_request', 'The prompt has no tokens.', { param });
  const wanted = request.stop.maxTokens ?? 1;
  if (promptTokens + wanted <= maxLength) return;
  const asked = request.stop.maxTokens === undefined ? '' : ` and asks for ${wanted} more`;
  throw new TrimtabError(
    'context_length_exceeded',
    `The context holds ${maxLength} tokens, but the prompt has ${promptTokens}${asked}.`,
    { param, details: { n_prompt_tokens: promptTokens, n_ctx: maxLength } },
  );
}

/** For a prompt that passes some layers at once, and would need more memory for that than it may. */
export function tooLongToPrune(plan: PruningPlan, shape: DecoderShape, limit: number): TrimtabError {
  const tokens = plan.droppable.length;
  const needed = transientBytes(plan, shape);
  return new TrimtabError(
    'invalid_request',
    `efficiency.token_pruning: the ${tokens} tokens from the first image on would take ${needed} bytes at once, ` +
      `the limit is ${limit}; merge more with token_merging, or send fewer images`,
    { param: 'efficiency.token_pruning' },
  );
}
