/**
 * Checks replies against OpenAI's published schemas (`test/fixtures/openai-schema.json`). Two OpenAPI habits are
 * rewritten for a JSON Schema validator: `nullable` becomes a union with null, `discriminator` is dropped.
 */

import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

export type SchemaName =
  | 'CreateChatCompletionResponse'
  | 'CreateChatCompletionStreamResponse'
  | 'CreateCompletionResponse'
  | 'CompletionStreamResponse'
  | 'ListModelsResponse'
  | 'Model'
  | 'ErrorResponse';

function rewrite(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(rewrite);
  if (schema === null || typeof schema !== 'object') return schema;
  const { nullable, discriminator: _, ...rest } = schema;
  const rewritten = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, rewrite(value)]));
  return nullable === true ? { anyOf: [rewritten, { type: 'null' }] } : rewritten;
}

function loadSchemas(): JsonObject {
  const file = new URL('../fixtures/openai-schema.json', import.meta.url);
  const document = JSON.parse(readFileSync(file, 'utf8')) as { components: { schemas: JsonObject } };
  const schemas = rewrite(document.components.schemas) as JsonObject;
  return { ...schemas, ...completionCorrections(schemas.CreateCompletionResponse as JsonObject) };
}

/**
 * The published schema of text completions describes whole replies only, and those without `echo`. What OpenAI
 * sends beyond that: null finish reasons and null usage in frames of a stream, null for the log-probability of
 * the first token of an echoed prompt.
 */
function completionCorrections(published: JsonObject): JsonObject {
  const text = JSON.stringify(published)
    .replace(
      '"token_logprobs":{"type":"array","items":{"type":"number"}}',
      '"token_logprobs":{"type":"array","items":{"type":["number","null"]}}',
    )
    .replace(
      '"top_logprobs":{"type":"array","items":{"type":"object"',
      '"top_logprobs":{"type":"array","items":{"type":["object","null"]',
    );
  const stream = text
    .replace('"enum":["stop","length","content_filter"]', '"enum":["stop","length","content_filter",null]')
    .replace('"finish_reason":{"type":"string"', '"finish_reason":{"type":["string","null"]')
    .replace(
      '"usage":{"$ref":"#/components/schemas/CompletionUsage"}',
      '"usage":{"anyOf":[{"$ref":"#/components/schemas/CompletionUsage"},{"type":"null"}]}',
    );
  return {
    CreateCompletionResponse: JSON.parse(text) as Json,
    CompletionStreamResponse: JSON.parse(stream) as Json,
  };
}

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'openai', components: { schemas: loadSchemas() } });
const validators = new Map<SchemaName, ValidateFunction>();

function validator(name: SchemaName): ValidateFunction {
  const known = validators.get(name);
  if (known !== undefined) return known;
  const compiled = ajv.compile({ $ref: `openai#/components/schemas/${name}` });
  validators.set(name, compiled);
  return compiled;
}

/** @throws with every violation, when `value` is not what OpenAI's schema describes */
export function assertSchema(name: SchemaName, value: unknown): void {
  const validate = validator(name);
  if (validate(value)) return;
  throw new Error(`not a ${name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
}
