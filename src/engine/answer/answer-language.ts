/** The language of whole answers: thoughts, then content of the form that was asked for, or tool calls. */

import { TrimtabError } from '../../core/errors.js';
import type { OutputFormat, ToolFunction, ToolUse } from '../../core/messages.js';
import type { Expression, ExpressionPool } from '../../decoding/grammar/expressions.js';
import { readFormat } from '../../decoding/grammar/format-language.js';
import { JsonText } from '../../decoding/grammar/json/json-text.js';
import { schemaLanguage } from '../../decoding/grammar/json-schema/compile-schema.js';
import { CONTROL_BYTE } from '../../decoding/grammar/vocabulary.js';
import { END_OF_THINK, THINK } from './reasoning-splitter.js';
import type { ToolFormat } from './tool-format.js';

export interface AnswerShape {
  readonly outputFormat: OutputFormat | undefined;
  readonly tools: { readonly use: ToolUse; readonly format: ToolFormat } | undefined;
  /** Whether thoughts may come first; `open` if the prompt already began them. */
  readonly thoughts: 'none' | 'possible' | 'open';
}

export function answerLanguage(
  pool: ExpressionPool,
  { outputFormat, tools, thoughts }: AnswerShape,
): Expression {
  const content = outputFormat && readFormat(pool, outputFormat);
  const answer =
    tools === undefined ? content! : new ToolAnswer(pool, tools.use, tools.format).language(content);
  return pool.concat(thoughtLanguage(pool, thoughts), answer);
}

function thoughtLanguage(pool: ExpressionPool, thoughts: AnswerShape['thoughts']): Expression {
  if (thoughts === 'none') return pool.empty;
  const end = pool.literal(END_OF_THINK);
  const space = pool.repeat(pool.literal('\n'), 0, 2);
  const rest = pool.concat(without(pool, end), end, space);
  return thoughts === 'open' ? rest : pool.optional(pool.concat(pool.literal(THINK), rest));
}

/** Any text in which `marker` does not occur. */
function without(pool: ExpressionPool, marker: Expression): Expression {
  return pool.not(pool.concat(pool.anything, marker, pool.anything));
}

class ToolAnswer {
  readonly #json: JsonText;

  constructor(
    private readonly pool: ExpressionPool,
    private readonly use: ToolUse,
    private readonly format: ToolFormat,
  ) {
    this.#json = new JsonText(pool);
  }

  /** `content` is the form of an answer without calls, undefined for any text. */
  language(content: Expression | undefined): Expression {
    const { pool, format } = this;
    const calls = this.#calls();
    if (this.use.choice === 'required') return calls;
    if (content !== undefined) return pool.choice(content, calls);
    if (format.markerIsOptional) return pool.choice(this.#notACall(), calls);
    return pool.concat(without(pool, this.#marker()), pool.optional(calls));
  }

  /** What begins like a call has to be one. */
  #notACall(): Expression {
    const { pool } = this;
    const space = pool.repeat(pool.choice(pool.literal(' '), pool.literal('\n')));
    const bare = pool.concat(space, pool.literal('{'), space, pool.literal('"name"'), pool.anything);
    return pool.not(pool.choice(bare, pool.concat(this.#marker(), pool.anything)));
  }

  /** The marker as a control token, and spelled out for a vocabulary that has none. */
  #marker(): Expression {
    const { pool, format } = this;
    return spelled(pool, format.marker ?? '', format.markerIsControl);
  }

  #calls(): Expression {
    const { pool, format } = this;
    const space = this.#json.space;
    const call = pool.choice(...this.use.functions.map((tool) => this.#call(tool)));
    const many = format.separator !== undefined && this.use.parallel;
    const more = many
      ? pool.repeat(pool.concat(pool.literal(format.separator), space, call), 0, MAX_MORE_CALLS)
      : pool.empty;
    const marker = format.markerIsOptional ? pool.optional(this.#marker()) : this.#marker();
    const begin = pool.concat(pool.literal(format.begin), format.begin === '' ? pool.empty : space);
    const end = format.end === '' ? pool.empty : pool.concat(space, spelled(pool, format.end, true));
    const group = pool.concat(marker, format.markerIsOptional ? pool.empty : space, begin, call, more, end);
    if (format.separator !== undefined || !this.use.parallel) return group;
    return pool.concat(group, pool.repeat(pool.concat(pool.literal('\n'), group), 0, MAX_MORE_CALLS));
  }

  #call(tool: ToolFunction): Expression {
    const json = this.#json;
    const name = json.member(json.literal('name'), json.literal(tool.name));
    const parameters = json.member(json.literal(this.format.argumentsKey), this.#arguments(tool));
    return json.enclosed('{', this.pool.concat(name, json.following(parameters)), '}');
  }

  /** A schema that cannot be enforced is an error only where the caller was promised that it is. */
  #arguments({ parameters, strict, field }: ToolFunction): Expression {
    if (parameters === undefined) return this.pool.literal('{}');
    try {
      return schemaLanguage(this.#json, parameters, field);
    } catch (error) {
      const isOptional = this.use.choice === 'auto' && !strict;
      if (!isOptional || !(error instanceof TrimtabError) || error.code !== 'unsupported_parameter')
        throw error;
      return this.#json.object;
    }
  }
}

const MAX_MORE_CALLS = 31;

function spelled(pool: ExpressionPool, text: string, mayBeControl: boolean): Expression {
  const plain = pool.literal(text);
  if (!mayBeControl) return plain;
  return pool.choice(plain, pool.literal(Buffer.concat([Uint8Array.of(CONTROL_BYTE), Buffer.from(text)])));
}
