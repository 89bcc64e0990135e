/** What a request says about the form of its answer, as a constraint on the tokens of each choice. */

import { TrimtabError } from '../../core/errors.js';
import type { GenerateRequest } from '../../core/messages.js';
import type { GrammarCache } from '../../decoding/grammar/grammar-cache.js';
import { GrammarConstraint } from '../../decoding/grammar/grammar-constraint.js';
import type { TokenAutomaton } from '../../decoding/grammar/token-automaton.js';
import type { NewConstraint } from '../sequence/generation.js';

/** Throws a `TrimtabError` that names the part of the request that is wrong or cannot be enforced. */
export function constraintOf(request: GenerateRequest, grammars: GrammarCache): NewConstraint {
  const { outputFormat } = request;
  if (outputFormat === undefined) return () => undefined;
  const automaton = grammars.get(outputFormat);
  const begun = afterBeginning(automaton, request);
  return () => new GrammarConstraint(automaton, [begun]);
}

/** An answer that the caller began counts from its beginning. */
function afterBeginning(automaton: TokenAutomaton, { prompt }: GenerateRequest) {
  if (prompt.kind !== 'chat' || !prompt.continueFinalMessage) return automaton.start;
  const content = prompt.messages.at(-1)?.content;
  const text = typeof content === 'string' ? content : ''; // any other is refused by the chat template
  const state = automaton.after(automaton.start, Buffer.from(text, 'utf8'));
  if (state !== undefined && !automaton.isComplete(state)) return state;
  const what = state === undefined ? 'does not begin an answer of the form that' : 'is already all that';
  const param = `messages[${prompt.messages.length - 1}].content`;
  throw new TrimtabError('invalid_request', `${param}: ${what} ${automaton.field} asks for`, { param });
}
