/**
 * Every way in which clients ask for an answer of a certain form: OpenAI's `response_format`, vLLM's
 * `structured_outputs` and `guided_*`, llama.cpp's `json_schema` and `grammar`. At most one of them.
 */

import { z } from 'zod';
import type { OutputFormat } from '../../core/messages.js';
import { boundedArray, invalidField, optional, wellFormedText } from './fields.js';

const schemaDocument = z.union([z.record(z.string(), z.unknown()), z.boolean()]);

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object'), schema: optional(schemaDocument) }),
  z.looseObject({
    type: z.literal('json_schema'),
    schema: optional(schemaDocument),
    json_schema: optional(
      z.looseObject({
        name: optional(z.string().regex(/^[\w-]{1,64}$/, 'expected 1–64 letters, digits, _ or -')),
        schema: optional(schemaDocument),
        strict: optional(z.boolean()),
      }),
    ),
  }),
]);

const choices = boundedArray(wellFormedText.pipe(z.string().min(1).max(4096)), 1024).refine(
  (items) => items.length > 0,
  { message: 'expected at least one choice' },
);
const pattern = z.string().min(1);
const grammar = z.string();
/** vLLM also takes the schema as JSON text. */
const schemaOrText = z.union([schemaDocument, z.string().transform(parseSchemaText)]);

export const outputFormatFields = {
  response_format: optional(responseFormat),
  json_schema: optional(schemaDocument),
  schema: optional(schemaDocument),
  grammar: optional(grammar),
  guided_json: optional(schemaOrText),
  guided_regex: optional(pattern),
  guided_choice: optional(choices),
  guided_grammar: optional(grammar),
  structured_outputs: optional(
    z.strictObject({
      json: optional(schemaOrText),
      regex: optional(pattern),
      choice: optional(choices),
      grammar: optional(grammar),
      json_object: optional(z.boolean()),
    }),
  ),
};

const bodySchema = z.looseObject(outputFormatFields);
type Body = z.output<typeof bodySchema>;

/** @throws {TrimtabError} invalid_request when two fields ask for different things */
export function outputFormat(body: Body): OutputFormat | undefined {
  const formats = [...fromResponseFormat(body), ...fromGuided(body), ...fromStructuredOutputs(body)];
  const [first, second] = formats;
  if (second !== undefined) throw invalidField(second.field, `not allowed together with ${first!.field}`);
  return first;
}

function fromResponseFormat({ response_format: format }: Body): readonly OutputFormat[] {
  if (format === undefined || format.type === 'text') return [];
  if (format.type === 'json_object') {
    if (format.schema === undefined) return [{ kind: 'json-object', field: 'response_format' }];
    return jsonSchema(format.schema, 'response_format.schema');
  }
  const nested = format.json_schema?.schema;
  if (nested !== undefined) return jsonSchema(nested, 'response_format.json_schema.schema');
  if (format.schema !== undefined) return jsonSchema(format.schema, 'response_format.schema');
  throw invalidField('response_format.json_schema.schema', 'expected an object, received nothing');
}

function fromGuided(body: Body): readonly OutputFormat[] {
  return [
    ...jsonSchema(body.json_schema, 'json_schema'),
    ...jsonSchema(body.schema, 'schema'),
    ...grammarText(body.grammar, 'grammar'),
    ...jsonSchema(body.guided_json, 'guided_json'),
    ...regex(body.guided_regex, 'guided_regex'),
    ...choice(body.guided_choice, 'guided_choice'),
    ...grammarText(body.guided_grammar, 'guided_grammar'),
  ];
}

function fromStructuredOutputs({ structured_outputs: outputs }: Body): readonly OutputFormat[] {
  if (outputs === undefined) return [];
  const field = 'structured_outputs';
  return [
    ...jsonSchema(outputs.json, `${field}.json`),
    ...regex(outputs.regex, `${field}.regex`),
    ...choice(outputs.choice, `${field}.choice`),
    ...grammarText(outputs.grammar, `${field}.grammar`),
    ...(outputs.json_object === true
      ? [{ kind: 'json-object', field: `${field}.json_object` } as const]
      : []),
  ];
}

function jsonSchema(schema: unknown, field: string): readonly OutputFormat[] {
  return schema === undefined ? [] : [{ kind: 'json-schema', schema, field }];
}

function regex(text: string | undefined, field: string): readonly OutputFormat[] {
  return text === undefined ? [] : [{ kind: 'regex', pattern: text, field }];
}

function choice(items: readonly string[] | undefined, field: string): readonly OutputFormat[] {
  return items === undefined ? [] : [{ kind: 'choice', choices: items, field }];
}

/** llama.cpp's clients send an empty grammar for none. */
function grammarText(text: string | undefined, field: string): readonly OutputFormat[] {
  return text === undefined || text === '' ? [] : [{ kind: 'grammar', text, field }];
}

function parseSchemaText(text: string, context: z.core.$RefinementCtx<string>): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.issues.push({ code: 'custom', message: 'expected JSON', input: text });
    return z.NEVER;
  }
}
