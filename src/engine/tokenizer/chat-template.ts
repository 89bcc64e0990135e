/** Messages to the text of a prompt, by the Jinja template that comes with a checkpoint. */

import { Environment, Interpreter, parse, tokenize } from '@huggingface/jinja';
import { TrimtabError } from '../../core/errors.js';
import type { ChatMessage, TextPart } from '../../core/messages.js';
import { boundedRun } from './bounded-run.js';
import { followPython, pythonFunctions } from './jinja-python.js';
import { strftime } from './strftime.js';
import { damaged } from './tokenizer-files.js';

/** What a template sees of a part: an image or video is a place, nothing more. */
export type TemplatePart = TextPart | { readonly type: 'image' | 'video' };

export interface TemplateMessage extends Omit<ChatMessage, 'content'> {
  readonly content: string | null | readonly TemplatePart[];
}

export interface ChatRequest {
  readonly messages: readonly TemplateMessage[];
  readonly templateVariables?: Readonly<Record<string, unknown>>;
  readonly addGenerationPrompt: boolean;
  readonly continueFinalMessage: boolean;
}

export interface ChatTemplateOptions {
  /** `bos_token`, `eos_token` and the like. */
  readonly specialTokens: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly now?: () => Date;
}

/** Thrown by the template itself (`raise_exception`), with a message that is meant for the caller. */
class TemplateRefusal extends Error {}

const DEFAULT_TIMEOUT_MS = 2000;
const MAX_RANGE = 100_000;
/** The same marker as transformers uses; its trailing space shows whether the template trims. */
const CONTINUE_TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';

/** Jinja takes both spellings. */
const constants = { true: true, True: true, false: false, False: false, none: null, None: null } as const;

/** How the interpreter prints a dictionary that is added to a string, where Python would refuse. */
const PASTED_DATA = '[object Map]';

/** Templates of vision models walk through the parts of a message; some take a plain string as well and say so. */
const WALKS_PARTS = /\bin\s+\w+(\.content|\[\s*['"]content['"]\s*\])/;
const TAKES_STRINGS = /\bis\s+(not\s+)?(string|iterable|sequence|mapping)\b/;

type Program = ReturnType<typeof parse>;

export class ChatTemplate {
  readonly #programs: ReadonlyMap<string, Program>;
  readonly #knowsDeveloper: boolean;
  readonly #wantsParts: boolean;

  /** `templates` by name, with a `default`. Throws `invalid_checkpoint` for one that is not Jinja. */
  constructor(
    templates: ReadonlyMap<string, string>,
    private readonly options: ChatTemplateOptions,
  ) {
    this.#programs = new Map([...templates].map(([name, source]) => [name, compile(name, source)]));
    const sources = [...templates.values()];
    this.#knowsDeveloper = sources.some((source) => source.includes('developer'));
    this.#wantsParts = sources.some((source) => WALKS_PARTS.test(source) && !TAKES_STRINGS.test(source));
  }

  /** Throws `invalid_request` with the template's own words when it refuses the conversation. */
  render(request: ChatRequest): string {
    if (!request.continueFinalMessage) return this.#renderMessages(request.messages, request);
    const final = request.messages.at(-1);
    const text = lastText(final?.content);
    if (final === undefined || text === undefined) {
      throw refused('The last message has no text to continue.', 'messages');
    }
    const open = [...request.messages.slice(0, -1), { ...final, content: withTag(final.content, text) }];
    return cutAtTag(this.#renderMessages(open, request), text);
  }

  /** Tool arguments go in as data; a template that pastes them into text gets the JSON text instead. */
  #renderMessages(messages: readonly TemplateMessage[], request: ChatRequest): string {
    const asData = messages.map((message) => this.#toTemplate(message, parseArguments));
    const rendered = this.#run(asData, request);
    if (!rendered.includes(PASTED_DATA) || JSON.stringify(messages).includes(PASTED_DATA)) return rendered;
    const asText = messages.map((message) => this.#toTemplate(message, (json) => json));
    return this.#run(asText, request);
  }

  #run(messages: readonly object[], request: ChatRequest): string {
    const tools = request.templateVariables?.tools ?? null;
    const program =
      (tools === null ? undefined : this.#programs.get('tool_use')) ?? this.#programs.get('default');
    if (program === undefined)
      throw damaged('tokenizer_config.json', 'it has no chat template named "default"');
    const environment = this.#environment({
      ...this.options.specialTokens,
      documents: null,
      ...request.templateVariables,
      tools,
      messages,
      add_generation_prompt: request.addGenerationPrompt,
    });
    try {
      const run = () => String(new Interpreter(environment).run(program).value);
      return boundedRun(run, this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS, tooSlow);
    } catch (error) {
      throw explain(error);
    }
  }

  #environment(variables: Readonly<Record<string, unknown>>): Environment {
    const now = this.options.now ?? (() => new Date());
    const environment = new Environment();
    const globals: Readonly<Record<string, unknown>> = {
      ...variables,
      ...constants,
      ...pythonFunctions,
      range: boundedRange,
      strftime_now: (format: string) => strftime(format, now()),
      raise_exception: (message: unknown) => {
        throw new TemplateRefusal(String(message));
      },
    };
    for (const [name, value] of Object.entries(globals)) {
      if (!environment.variables.has(name)) environment.set(name, value);
    }
    return environment;
  }

  #toTemplate(original: TemplateMessage, toArguments: (json: string) => unknown) {
    const message = this.#wantsParts ? { ...original, content: asParts(original.content) } : original;
    const role = message.role === 'developer' && !this.#knowsDeveloper ? 'system' : message.role;
    if (message.tool_calls === undefined) return { ...message, role };
    const calls = message.tool_calls.map((call) => ({
      ...call,
      function: { ...call.function, arguments: toArguments(call.function.arguments) },
    }));
    return { ...message, role, tool_calls: calls };
  }
}

function compile(name: string, source: string): Program {
  try {
    const unixLines = source.replace(/\r\n?/g, '\n');
    return followPython(parse(tokenize(unixLines, { lstrip_blocks: true, trim_blocks: true })));
  } catch (cause) {
    throw damaged('chat_template', `template "${name}" is not valid Jinja (${messageOf(cause)})`, cause);
  }
}

function asParts(content: TemplateMessage['content']): readonly TemplatePart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? []);
}

function lastText(content: TemplateMessage['content'] | undefined): string | undefined {
  if (typeof content === 'string') return content;
  const last = content?.at(-1);
  return last?.type === 'text' ? last.text : undefined;
}

function withTag(content: TemplateMessage['content'], text: string): TemplateMessage['content'] {
  const tagged = text + CONTINUE_TAG;
  if (content === null || typeof content === 'string') return tagged;
  return [...content.slice(0, -1), { type: 'text', text: tagged }];
}

function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch {
    return text;
  }
}

/** Cuts the text after the content of the last message; the end that the template put there goes. */
function cutAtTag(rendered: string, content: string): string {
  const at = rendered.lastIndexOf(CONTINUE_TAG.trim());
  if (at < 0 || !rendered.includes(content.trim())) {
    throw refused(
      'The chat template changes the last message, so that it cannot be continued.',
      'continue_final_message',
    );
  }
  const text = rendered.slice(0, at);
  return rendered.startsWith(CONTINUE_TAG, at) ? text : text.trimEnd();
}

/** Python's `range`, with an end: a template has no use for more numbers than there are tokens. */
function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range() of more than ${MAX_RANGE} numbers`);
  return Array.from({ length }, (_, index) => start + index * step);
}

function tooSlow(): TrimtabError {
  return refused('The chat template took too long for these messages.', 'messages');
}

function explain(error: unknown): unknown {
  if (error instanceof TrimtabError) return error;
  if (error instanceof TemplateRefusal) return refused(error.message, 'messages', error);
  return refused(`The chat template cannot render these messages: ${messageOf(error)}.`, 'messages', error);
}

function refused(message: string, param: string, cause?: unknown): TrimtabError {
  return new TrimtabError('invalid_request', message, { param, cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
