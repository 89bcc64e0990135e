/**
 * JSON Schema to the language of the texts that validate. The language may be narrower than the schema (the
 * order of properties is fixed, what is not described is left out), never wider: whatever cannot be enforced is
 * refused by name.
 */

import type { Expression } from '../expressions.js';
import type { JsonText } from '../json/json-text.js';
import { arrayLanguage } from './arrays.js';
import { assertions, combinators, isAnnotation, type TypeName, typesOf, valueKeywords } from './keywords.js';
import { checkSize, Finiteness } from './limits.js';
import { mergeSchemas } from './merge.js';
import { numberLanguage } from './numbers.js';
import { objectLanguage } from './objects.js';
import { requireDisjoint } from './one-of.js';
import { References } from './references.js';
import {
  asSchema,
  invalid,
  isObject,
  type Located,
  type SchemaObject,
  schemaList,
  unsupported,
} from './schema.js';
import { stringLanguage } from './strings.js';

/** `path` is the field of the request that holds the schema. Throws a `TrimtabError` that names the keyword. */
export function schemaLanguage(json: JsonText, schema: unknown, path: string): Expression {
  const root = asSchema(schema, path);
  checkSize(root);
  const references = new References(root);
  new Finiteness(json.pool, references, root).check();
  return new SchemaCompiler(json, references).compile(root);
}

const MAX_MERGES = 64;
/** In expressions: merging walks both schemas. */
const MERGE_COST = 100;

class SchemaCompiler {
  readonly #json: JsonText;
  readonly #references: References;
  /** By pointer; a schema that refers to itself finds its own rule here. */
  readonly #rules = new Map<string, Expression>();

  constructor(json: JsonText, references: References) {
    this.#json = json;
    this.#references = references;
  }

  compile(located: Located): Expression {
    this.#json.pool.spend(1);
    if (located.schema === false) throw unsupported(located.path, 'no value is valid for the schema false');
    if (located.schema === true) return this.#json.value;
    const object = { schema: located.schema, path: located.path };
    const used = assertions(object);
    const combining = combinators.find((keyword) => used.includes(keyword));
    if (combining !== undefined) return this.#combined(object, combining, used.length === 1);
    return this.#plain(object, used);
  }

  /** Other keywords beside a combinator hold for each of its schemas. */
  #combined(
    located: Located<SchemaObject>,
    keyword: (typeof combinators)[number],
    alone: boolean,
  ): Expression {
    const { schema, path } = located;
    if (keyword === '$ref' && alone) return this.#rule(schema.$ref, `${path}.$ref`);
    const { [keyword]: _, ...others } = schema;
    const beside = { schema: others, path };
    if (keyword === '$ref') return this.compile(this.#merged(this.#follow(located), beside));
    const options = schemaList(located, keyword).map((option) => this.#follow(option));
    if (keyword === 'allOf') return this.compile(this.#merged(beside, ...options));
    if (keyword === 'oneOf') requireDisjoint(options, `${path}.oneOf`, (option) => this.#follow(option));
    const merged = alone
      ? schemaList(located, keyword)
      : options.map((option) => this.#merged(option, beside));
    return this.#json.pool.choice(...merged.map((option) => this.compile(option)));
  }

  /** The schema without `$ref` and `allOf` at its top. */
  #follow(located: Located, merges = 0): Located {
    const { schema, path } = located;
    this.#json.pool.spend(1);
    if (!isObject(schema)) return located;
    if (merges > MAX_MERGES) throw unsupported(path, 'the schemas refer to each other too often');
    if (schema.$ref !== undefined) {
      const { $ref, ...beside } = schema;
      const target = this.#follow(this.#references.resolve($ref, `${path}.$ref`), merges + 1);
      return hasAssertions(beside) ? this.#merged(target, { schema: beside, path }) : target;
    }
    if (schema.allOf === undefined) return located;
    const { allOf: _, ...beside } = schema;
    const parts = schemaList({ schema, path }, 'allOf').map((part) => this.#follow(part, merges + 1));
    return this.#merged({ schema: beside, path }, ...parts);
  }

  #merged(first: Located, ...others: readonly Located[]): Located {
    this.#json.pool.spend(MERGE_COST * others.length);
    return others.reduce(mergeSchemas, first);
  }

  #rule(pointer: unknown, path: string): Expression {
    const target = this.#references.resolve(pointer, path);
    const known = this.#rules.get(String(pointer));
    if (known !== undefined) return known;
    let body: Expression | undefined;
    const rule = this.#json.pool.rule(String(pointer), () => body!);
    this.#rules.set(String(pointer), rule);
    body = this.compile(target);
    return rule;
  }

  #plain(located: Located<SchemaObject>, used: readonly string[]): Expression {
    const byValue = valueKeywords.find((keyword) => used.includes(keyword));
    if (byValue !== undefined) return this.#values(located, byValue, used);
    const types = typesOf(located);
    if (types === undefined) return this.#json.value;
    return this.#json.pool.choice(...types.map((type) => this.#typed(located, type)));
  }

  #values(located: Located<SchemaObject>, keyword: 'enum' | 'const', used: readonly string[]): Expression {
    const { schema, path } = located;
    const other = used.find((name) => name !== keyword && name !== 'type');
    if (other !== undefined) throw unsupported(`${path}.${other}`, `it cannot be combined with ${keyword}`);
    const listed = keyword === 'const' ? [schema.const] : schema.enum;
    if (!Array.isArray(listed) || listed.length === 0) {
      throw invalid(`${path}.enum`, 'expected an array of at least one value');
    }
    const types = schema.type === undefined ? undefined : typesOf(located);
    const values = listed.filter(
      (value) => types === undefined || types.some((type) => isOfType(value, type)),
    );
    if (values.length === 0)
      throw invalid(`${path}.${keyword}`, 'no value is of the type that the schema asks for');
    return this.#json.pool.choice(...values.map((value) => this.#json.literal(value)));
  }

  #typed(located: Located<SchemaObject>, type: TypeName): Expression {
    const json = this.#json;
    switch (type) {
      case 'object':
        return objectLanguage(json, located, (value) => this.compile(value));
      case 'array':
        return arrayLanguage(json, located, (item) => this.compile(item));
      case 'string':
        return stringLanguage(json, located);
      case 'number':
      case 'integer':
        return numberLanguage(json, located, type === 'integer');
      case 'boolean':
        return json.pool.choice(json.literal(true), json.literal(false));
      case 'null':
        return json.literal(null);
    }
  }
}

function hasAssertions(schema: SchemaObject): boolean {
  return Object.keys(schema).some((keyword) => schema[keyword] !== undefined && !isAnnotation(keyword));
}

function isOfType(value: unknown, type: TypeName): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type;
}
