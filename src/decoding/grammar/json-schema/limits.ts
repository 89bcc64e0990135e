/** Bounds on a schema, checked before anything is made of it, and that its references come to an end. */

import type { ExpressionPool } from '../expressions.js';
import type { References } from './references.js';
import { invalid, isObject, type Located, unsupported } from './schema.js';

export const MAX_SCHEMA_CHARACTERS = 256 * 1024;
export const MAX_SCHEMA_DEPTH = 48;
export const MAX_SCHEMA_NODES = 20_000;

/** Throws `invalid_request` for a schema that is too large or too deep. */
export function checkSize({ schema, path }: Located): void {
  const { length } = JSON.stringify(schema);
  if (length > MAX_SCHEMA_CHARACTERS) {
    throw invalid(path, `expected ≤ ${MAX_SCHEMA_CHARACTERS} characters of JSON, received ${length}`);
  }
  const nodes = countNodes(schema, path, 0);
  if (nodes > MAX_SCHEMA_NODES) {
    throw invalid(path, `expected ≤ ${MAX_SCHEMA_NODES} values in the schema, received ${nodes}`);
  }
}

function countNodes(value: unknown, path: string, depth: number): number {
  if (depth > MAX_SCHEMA_DEPTH) throw invalid(path, `the schema is nested deeper than ${MAX_SCHEMA_DEPTH}`);
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, item) => sum + countNodes(item, path, depth + 1), 1);
}

/**
 * Refuses references that no finite value can satisfy, such as an object that requires another of its own kind,
 * and a reference that leads back to itself without a level of the value in between.
 */
export class Finiteness {
  readonly #finite = new Set<string>();
  /** Pointers whose followers were all looked at; `open` are those on the way to the present one. */
  readonly #progressing = new Set<string>();
  readonly #open = new Set<string>();

  constructor(
    private readonly pool: ExpressionPool,
    private readonly references: References,
    private readonly root: Located,
  ) {}

  check(): void {
    const pointers = collectReferences(this.root);
    for (let before = -1; before < this.#finite.size; ) {
      before = this.#finite.size;
      for (const [pointer, path] of pointers) {
        if (this.#finite.has(pointer)) continue;
        if (this.#isFinite(this.references.resolve(pointer, path).schema)) this.#finite.add(pointer);
      }
    }
    for (const [pointer, path] of pointers) {
      if (!this.#finite.has(pointer)) throw invalid(path, `"${pointer}" refers to itself without an end`);
      this.#requireProgress(pointer, path);
    }
  }

  #isFinite(schema: unknown): boolean {
    this.pool.spend(1);
    if (!isObject(schema)) return true;
    const all = (items: unknown) => (Array.isArray(items) ? items : []).every((item) => this.#isFinite(item));
    const some = (items: unknown) => !Array.isArray(items) || items.some((item) => this.#isFinite(item));
    const { properties, required, minItems = 0 } = schema;
    const needed =
      isObject(properties) && Array.isArray(required) ? required.map((name) => properties[name]) : [];
    const items = (minItems as number) > 0 ? [schema.items, ...[schema.prefixItems ?? []].flat()] : [];
    return (
      (typeof schema.$ref !== 'string' || this.#finite.has(schema.$ref)) &&
      all(schema.allOf) &&
      some(schema.anyOf) &&
      some(schema.oneOf) &&
      all(needed) &&
      all(items)
    );
  }

  /** Depth first, every pointer once. */
  #requireProgress(pointer: string, path: string): void {
    if (this.#progressing.has(pointer)) return;
    if (this.#open.has(pointer)) {
      throw unsupported(path, `"${pointer}" refers to itself without a level between`);
    }
    this.#open.add(pointer);
    this.#requireProgressOf(this.references.resolve(pointer, path).schema, path);
    this.#open.delete(pointer);
    this.#progressing.add(pointer);
  }

  /** Follows what stands for the schema itself, not what is inside its values. */
  #requireProgressOf(schema: unknown, path: string): void {
    this.pool.spend(1);
    if (!isObject(schema)) return;
    for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
      for (const item of [schema[keyword] ?? []].flat()) this.#requireProgressOf(item, path);
    }
    if (typeof schema.$ref === 'string') this.#requireProgress(schema.$ref, path);
  }
}

/** Every `$ref` of the document, by its pointer, with the place of one of its uses. */
function collectReferences({ schema, path }: Located): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (value: unknown, at: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, item] of Object.entries(value)) {
      const itemPath = Array.isArray(value) ? `${at}[${key}]` : `${at}.${key}`;
      if (key === '$ref' && typeof item === 'string') found.set(item, itemPath);
      else if (key !== 'enum' && key !== 'const' && key !== 'default' && key !== 'examples')
        visit(item, itemPath);
    }
  };
  visit(schema, path);
  return found;
}
