/** How the answer to one request is held to its form and read. */

import { TrimtabError } from '../../core/errors.js';
import type { GenerateRequest, ToolUse } from '../../core/messages.js';
import type { GrammarCache } from '../../decoding/grammar/grammar-cache.js';
import { GrammarConstraint } from '../../decoding/grammar/grammar-constraint.js';
import type { TokenAutomaton } from '../../decoding/grammar/token-automaton.js';
import type { TokenConstraint } from '../../decoding/token-constraint.js';
import type { AnswerFormat } from './answer-format.js';
import { type AnswerShape, answerLanguage } from './answer-language.js';
import { AnswerReader } from './answer-reader.js';
import { CallParser } from './call-parser.js';
import { END_OF_THINK, ReasoningSplitter, THINK } from './reasoning-splitter.js';
import type { ToolFormat } from './tool-format.js';

/** Both are made anew for each choice. */
export interface AnswerPlan {
  constraint(): TokenConstraint | undefined;
  reader(): AnswerReader;
  /** Control tokens that are part of the text. */
  readonly markerIds: ReadonlySet<number>;
}

export const plainAnswer: AnswerPlan = {
  constraint: () => undefined,
  reader: () => new AnswerReader(),
  markerIds: new Set(),
};

/**
 * `promptText` is the prompt after the chat template. Throws a `TrimtabError` that names the part of the request
 * that is wrong or cannot be enforced.
 */
export function planAnswer(
  request: GenerateRequest,
  promptText: string,
  format: AnswerFormat,
  grammars: GrammarCache,
): AnswerPlan {
  const tools = request.tools && { use: request.tools, format: requireToolFormat(request.tools, format) };
  const thoughts = request.prompt.kind === 'chat' && format.reasons ? thoughtsAfter(promptText) : 'none';
  const { outputFormat } = request;
  if (tools === undefined && outputFormat === undefined && thoughts === 'none') return plainAnswer;
  return {
    constraint: constraintOf(request, { outputFormat, tools, thoughts }, grammars),
    reader: () => newReader(tools, thoughts),
    markerIds: tools === undefined ? plainAnswer.markerIds : format.markerIds,
  };
}

function requireToolFormat({ field }: ToolUse, { tools, takesTools }: AnswerFormat): ToolFormat {
  if (tools !== undefined) return tools;
  const problem = takesTools
    ? 'the form in which this model writes tool calls is not known'
    : 'the chat template of this model has no place for tools';
  throw new TrimtabError('unsupported_parameter', `${field}: ${problem}`, { param: field });
}

function thoughtsAfter(promptText: string): AnswerShape['thoughts'] {
  const end = promptText.trimEnd();
  if (end.endsWith(THINK)) return 'open';
  return end.endsWith(END_OF_THINK) ? 'none' : 'possible';
}

function newReader(tools: AnswerShape['tools'], thoughts: AnswerShape['thoughts']): AnswerReader {
  const names = new Set(tools?.use.functions.map(({ name }) => name));
  return new AnswerReader(
    thoughts === 'none' ? undefined : new ReasoningSplitter(thoughts === 'open'),
    tools && new CallParser(tools.format, names),
  );
}

function constraintOf(request: GenerateRequest, shape: AnswerShape, grammars: GrammarCache) {
  const { outputFormat, tools } = shape;
  const field = tools?.use.field ?? outputFormat?.field;
  if (field === undefined) return () => undefined;
  const key = [outputFormat, tools?.use, tools?.format.name, shape.thoughts];
  const automaton = grammars.get(key, field, (pool) => answerLanguage(pool, shape));
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
