import { canEnd, matches } from '../arrows.js';
import { plainCharacters } from '../characters.js';
import type { Expression } from '../expressions.js';
import type { JsonText } from '../json/json-text.js';
import { mergeSchemas } from './merge.js';
import {
  asSchema,
  countAt,
  invalid,
  isObject,
  type Located,
  type SchemaObject,
  schemaAt,
  schemasIn,
  stringsAt,
  unsupported,
} from './schema.js';
import { patternLanguage, stringLanguage } from './strings.js';

type Compile = (value: Located) => Expression;

interface Member {
  readonly language: Expression;
  readonly required: boolean;
}

const MAX_OPTIONAL_MEMBERS = 512;

/**
 * The members that the schema lists come in its order, then those that only a pattern or `additionalProperties`
 * describes. An object that lists members and says nothing of others has no others.
 */
export function objectLanguage(json: JsonText, located: Located<SchemaObject>, compile: Compile): Expression {
  const listed = listedProperties(json, located);
  const required = new Set(stringsAt(located, 'required'));
  const members = [...listed].map(
    ([name, value]): Member => ({
      language: json.member(json.literal(name), compile(value)),
      required: required.has(name),
    }),
  );
  if (members.filter((member) => !member.required).length > MAX_OPTIONAL_MEMBERS) {
    throw invalid(`${located.path}.properties`, `expected ≤ ${MAX_OPTIONAL_MEMBERS} that are not required`);
  }
  const extra = new ExtraMembers(json, located, listed, compile).language();
  const [min, max] = extraCount(located, members, extra === json.pool.nothing);
  return json.enclosed('{', sequence(json, members, { item: extra, min, max }), '}');
}

/** Those of `properties`, and names that are only required, which `additionalProperties` describes. */
function listedProperties(json: JsonText, located: Located<SchemaObject>): ReadonlyMap<string, Located> {
  const { schema, path } = located;
  const listed = new Map([...schemasIn(located, 'properties')].filter(([, value]) => value.schema !== false));
  for (const [name, value] of listed) {
    for (const [pattern, other] of schemasIn(located, 'patternProperties')) {
      if (testPattern(json, pattern, name, path)) listed.set(name, mergeSchemas(value, other));
    }
  }
  const others = schema.additionalProperties ?? true;
  for (const name of stringsAt(located, 'required')) {
    if (listed.has(name)) continue;
    const isPattern = Object.keys(schema.patternProperties ?? {}).some((p) =>
      testPattern(json, p, name, path),
    );
    if (others === false || isPattern || (isObject(schema.properties) && schema.properties[name] === false)) {
      throw unsupported(`${path}.required`, `"${name.slice(0, 40)}" is not one of the properties`);
    }
    listed.set(name, asSchema(others, `${path}.additionalProperties`));
  }
  return listed;
}

/** By the automaton of the pattern, whose time does not depend on how the pattern is written. */
function testPattern(json: JsonText, pattern: string, name: string, path: string): boolean {
  const at = `${path}.patternProperties.${pattern}`;
  return matches(json.pool, patternLanguage(json, pattern, at, plainCharacters), Buffer.from(name));
}

/** How many members beyond the listed ones there have to be and may be. */
function extraCount(
  located: Located<SchemaObject>,
  members: readonly Member[],
  isClosed: boolean,
): readonly [number, number] {
  const { path } = located;
  const [min = 0, max = Number.POSITIVE_INFINITY] = [
    countAt(located, 'minProperties'),
    countAt(located, 'maxProperties'),
  ];
  const needed = members.filter((member) => member.required).length;
  if (max < needed) throw invalid(`${path}.maxProperties`, `${needed} properties are required`);
  if (max < members.length)
    throw unsupported(`${path}.maxProperties`, 'fewer than the properties that are listed');
  const missing = Math.max(0, min - needed);
  // Two further members could have the same name, and then be one.
  if (missing > 1 || (missing === 1 && (isClosed || members.length > needed))) {
    throw unsupported(`${path}.minProperties`, 'more than the properties that are required');
  }
  return isClosed ? [0, 0] : [missing, max - members.length];
}

/** Members beyond the listed ones: their names differ from those, and from each pattern but their own. */
class ExtraMembers {
  constructor(
    private readonly json: JsonText,
    private readonly located: Located<SchemaObject>,
    private readonly listed: ReadonlyMap<string, Located>,
    private readonly compile: Compile,
  ) {}

  language(): Expression {
    const { pool } = this.json;
    const patterns = [...schemasIn(this.located, 'patternProperties')].map(([pattern, value]) => ({
      names: patternLanguage(this.json, pattern, `${this.located.path}.patternProperties.${pattern}`),
      value,
    }));
    const groups = patterns.map(({ names, value }) => {
      const others = patterns.filter((other) => other.names !== names);
      return this.#member(
        this.#without(
          names,
          others.map((other) => other.names),
        ),
        value,
      );
    });
    const rest = this.#unlisted(patterns.map(({ names }) => names));
    return pool.choice(...groups, rest);
  }

  #unlisted(patterns: readonly Expression[]): Expression {
    const { json, located, listed } = this;
    const { additionalProperties } = located.schema;
    const isSilent = additionalProperties === undefined && (listed.size > 0 || patterns.length > 0);
    if (isSilent || additionalProperties === false) return json.pool.nothing;
    const value = schemaAt(located, 'additionalProperties') ?? { schema: true, path: located.path };
    return this.#member(this.#without(json.canonicalContent(), patterns), value);
  }

  #member(names: Expression, value: Located): Expression {
    const { json } = this;
    if (names === json.pool.nothing) return names;
    return json.member(this.#named(json.quoted(names)), this.compile(value));
  }

  #without(names: Expression, patterns: readonly Expression[]): Expression {
    const { pool } = this.json;
    const taken = [...this.listed.keys()].map((name) => pool.literal(JSON.stringify(name).slice(1, -1)));
    const excluded = pool.choice(...taken, ...patterns);
    if (excluded === pool.nothing) return names;
    const others = pool.both(names, pool.not(excluded));
    return canEnd(pool, others) ? others : pool.nothing;
  }

  /** `propertyNames` holds for these; the listed names are taken to satisfy it. */
  #named(names: Expression): Expression {
    const { json, located } = this;
    const rule = schemaAt(located, 'propertyNames');
    if (rule === undefined || rule.schema === true) return names;
    if (!isObject(rule.schema)) return json.pool.nothing;
    const { enum: values, ...others } = rule.schema;
    if (Array.isArray(values) && Object.keys(others).every((keyword) => keyword === 'type')) {
      return json.pool.choice(...values.map((value) => json.literal(value)));
    }
    return stringLanguage(json, {
      schema: { ...rule.schema, minLength: rule.schema.minLength ?? 0 },
      path: rule.path,
    });
  }
}

interface Extra {
  readonly item: Expression;
  readonly min: number;
  readonly max: number;
}

/**
 * ```
 * first(i) ── member i ──▶ more(i+1)        more(i) ── , member i ──▶ more(i+1)
 *    └─ if optional ─▶ first(i+1)              └─ if optional ─▶ more(i+1)
 * ```
 */
function sequence(json: JsonText, members: readonly Member[], extra: Extra): Expression {
  const { pool } = json;
  let first = json.list(extra.item, extra.min, extra.max);
  let more = pool.repeat(json.following(extra.item), extra.min, extra.max);
  for (const { language, required } of members.toReversed()) {
    const [begun, continued] = [pool.concat(language, more), pool.concat(json.following(language), more)];
    const [laterFirst, laterMore] = [first, more];
    first = required ? begun : pool.rule('members', () => pool.choice(begun, laterFirst));
    more = required ? continued : pool.rule('members', () => pool.choice(continued, laterMore));
  }
  return first;
}
