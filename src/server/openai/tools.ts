/** Tools, and which of them the model may or must call; `functions` and `function_call` are their older names. */

import { z } from 'zod';
import type { ToolFunction, ToolUse } from '../../core/messages.js';
import { boundedArray, invalidField, optional } from './fields.js';
import { unsupported } from './unsupported-fields.js';

const maxTools = 128;

const functionSchema = z.looseObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'expected 1–64 letters, digits, _, . or -'),
  description: optional(z.string()),
  parameters: optional(z.record(z.string(), z.unknown())),
  strict: optional(z.boolean()),
});
type WireFunction = z.output<typeof functionSchema>;

const tool = z.looseObject({ type: z.literal('function'), function: functionSchema });
const named = z.looseObject({ name: z.string() });

export const toolFields = {
  tools: optional(boundedArray(tool, maxTools)),
  functions: optional(boundedArray(functionSchema, maxTools)),
};

const choiceFields = {
  tool_choice: optional(
    z.union([
      z.enum(['none', 'auto', 'required']),
      z.looseObject({ type: z.literal('function'), function: named }),
    ]),
  ),
  function_call: optional(z.union([z.enum(['none', 'auto']), named])),
  parallel_tool_calls: optional(z.boolean()),
};

export const toolUseFields = { ...toolFields, ...choiceFields };

const toolsSchema = z.looseObject(toolFields);
const useSchema = z.looseObject(toolUseFields);
type Tools = z.output<typeof toolsSchema>;
type Use = z.output<typeof useSchema>;

/** What of an answer depends on how tools were asked for. */
export interface ToolDialect {
  /** A caller who named one function is told `stop`, as by OpenAI. */
  readonly isNamed: boolean;
  /** `function_call` in place of `tool_calls`. */
  readonly isLegacy: boolean;
}

/** The tools as chat templates take them; undefined for none. */
export function templateTools(body: Tools): readonly object[] | undefined {
  const functions = functionsOf(body);
  if (functions.length === 0) return undefined;
  return functions.map(({ name, description, parameters }) => ({
    type: 'function',
    function: {
      name,
      description: description ?? '',
      parameters: parameters ?? { type: 'object', properties: {} },
    },
  }));
}

/** Undefined if the model may not call anything. Throws `invalid_request`, naming the field. */
export function toolUse(body: Use): ToolUse | undefined {
  const all = functionsOf(body).map((item, index) => toolFunction(item, pathOf(body, index)));
  const choice = choiceOf(body);
  requireTools(body, all, choice);
  if (all.length === 0 || choice === 'none') return undefined;
  const field = body.tools === undefined ? 'functions' : 'tools';
  const parallel = body.parallel_tool_calls !== false && body.functions === undefined;
  if (choice === 'auto' || choice === 'required') return { functions: all, choice, parallel, field };
  const functions = all.filter(({ name }) => name === choice.name);
  return { functions, choice: 'required', parallel: false, field };
}

export function toolDialect(body: Use): ToolDialect {
  return { isNamed: typeof choiceOf(body) === 'object', isLegacy: body.functions !== undefined };
}

type Choice = 'none' | 'auto' | 'required' | { readonly name: string };

function choiceOf({ tool_choice: choice, function_call: legacy }: Use): Choice {
  if (choice === undefined) return legacy ?? 'auto';
  return typeof choice === 'string' ? choice : choice.function;
}

function requireTools(body: Use, functions: readonly ToolFunction[], choice: Choice): void {
  const field = body.tool_choice === undefined ? 'function_call' : 'tool_choice';
  if (body.tools !== undefined && body.functions !== undefined) {
    throw invalidField('functions', 'not allowed together with tools');
  }
  const names = functions.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) throw invalidField(pathOf(body, twice), `the name "${names[twice]}" is given twice`);
  if (choice === 'none' || choice === 'auto') return;
  if (functions.length === 0) throw invalidField(field, 'allowed only together with tools');
  if (choice === 'required' || names.includes(choice.name)) return;
  throw invalidField(field, `"${choice.name.slice(0, 64)}" is not one of the tools`);
}

function functionsOf({ tools, functions }: Tools): readonly WireFunction[] {
  return tools?.map((item) => item.function) ?? functions ?? [];
}

function pathOf(body: Tools, index: number): string {
  return body.tools === undefined ? `functions[${index}]` : `tools[${index}].function`;
}

function toolFunction({ name, parameters, strict }: WireFunction, path: string): ToolFunction {
  const field = `${path}.parameters`;
  if (parameters?.type !== undefined && parameters.type !== 'object') {
    throw unsupported(`${field}.type`, 'expected "object", since arguments have names');
  }
  const schema = parameters === undefined ? undefined : { type: 'object', ...parameters };
  return { name, parameters: schema, strict: strict ?? false, field };
}
