/**
 * Trims OpenAI's published API description to the schemas of the replies that trimtab sends, as the oracle of
 * the contract tests. Everything that does not constrain a value (descriptions, examples) is left out.
 *
 *   tsx scripts/extract-openai-schema.ts path/to/openapi.json test/fixtures/openai-schema.json
 *
 * The description: https://github.com/openai/openai-openapi (MIT licence, copyright OpenAI).
 */

import { readFileSync, writeFileSync } from 'node:fs';

const roots = [
  'CreateChatCompletionResponse',
  'CreateChatCompletionStreamResponse',
  'CreateCompletionResponse',
  'CompletionUsage',
  'ListModelsResponse',
  'Model',
  'ErrorResponse',
];

const annotations = new Set(['description', 'title', 'example', 'examples', 'default', 'deprecated']);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

interface OpenApi {
  readonly info: { readonly version: string };
  readonly components: { readonly schemas: Readonly<Record<string, JsonObject>> };
}

/** Copies a schema without annotations; under `properties` the keys are names, not keywords. */
function trim(schema: Json, keysAreNames = false): Json {
  if (Array.isArray(schema)) return schema.map((item) => trim(item));
  if (schema === null || typeof schema !== 'object') return schema;
  const kept = Object.entries(schema).filter(
    ([key]) => keysAreNames || !(annotations.has(key) || key.startsWith('x-')),
  );
  return Object.fromEntries(
    kept.map(([key, value]) => [key, trim(value, !keysAreNames && key === 'properties')]),
  );
}

function referencedNames(schema: Json): string[] {
  return [...JSON.stringify(schema).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!);
}

function closure(schemas: OpenApi['components']['schemas']): JsonObject {
  const found: JsonObject = {};
  const pending = [...roots];
  while (pending.length > 0) {
    const name = pending.pop()!;
    if (name in found) continue;
    const schema = schemas[name];
    if (schema === undefined) throw new Error(`the API description has no schema ${name}`);
    found[name] = trim(schema);
    pending.push(...referencedNames(found[name]));
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const [source, target] = process.argv.slice(2);
if (source === undefined || target === undefined) throw new Error('usage: extract-openai-schema <in> <out>');
const api = JSON.parse(readFileSync(source, 'utf8')) as OpenApi;
const extract = {
  provenance: {
    source: 'https://github.com/openai/openai-openapi, openapi.json',
    version: api.info.version,
    licence: 'MIT, Copyright (c) OpenAI (https://openai.com)',
    changes: 'only the reply schemas and what they refer to; annotations removed',
  },
  components: { schemas: closure(api.components.schemas) },
};
writeFileSync(target, `${JSON.stringify(extract, null, 1)}\n`);
