/** Runs a zod schema on unknown input and turns its first complaint into an error that names the field. */

import type { z } from 'zod';
import { TrimtabError } from '../../core/errors.js';

type Issue = z.core.$ZodIssue;

/** @throws {TrimtabError} invalid_request, for example `messages[0].role: expected one of …, received 123` */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input, { reportInput: true });
  if (result.success) return result.data;
  throw issueToError(result.error.issues[0]!);
}

function issueToError(outer: Issue): TrimtabError {
  const issue = innermost(outer);
  const param = formatPath(issue.path);
  return new TrimtabError('invalid_request', `${param || 'body'}: ${describe(issue)}`, {
    param: param || undefined,
  });
}

/** `['messages', 0, 'role']` becomes `messages[0].role`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}

/** Of a union, the complaint of the branch that got furthest into the value. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue;
  const deeper = issue.errors.map((branch) => branch[0]!).find((first) => first.path.length > 0);
  return deeper === undefined ? issue : innermost({ ...deeper, path: [...issue.path, ...deeper.path] });
}

function describe(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return expected(typeName(issue.expected), issue.input);
    case 'invalid_value':
      return expected(oneOf(issue.values), issue.input);
    case 'invalid_union':
      return describeUnion(issue);
    case 'too_small':
      return expected(
        `${bound(issue.inclusive, '≥', '>')} ${issue.minimum}${unit(issue.origin)}`,
        issue.input,
      );
    case 'too_big':
      return expected(
        `${bound(issue.inclusive, '≤', '<')} ${issue.maximum}${unit(issue.origin)}`,
        issue.input,
      );
    case 'invalid_key':
      return `${showValue(issue.path.at(-1))} is not a valid key`;
    case 'unrecognized_keys':
      return `unknown key ${issue.keys.slice(0, 5).map(showValue).join(', ')}`;
    default:
      return issue.message;
  }
}

const boundCodes: ReadonlySet<Issue['code']> = new Set<Issue['code']>(['too_small', 'too_big', 'custom']);

function describeUnion(issue: z.core.$ZodIssueInvalidUnion): string {
  const { discriminator } = issue;
  if (discriminator !== undefined) {
    const received = (issue.input as Record<string, unknown> | undefined)?.[discriminator];
    return expected(oneOf((issue as { options?: unknown[] }).options ?? []), received);
  }
  // A branch of the right type, which only a bound was against, knows better than those of other types.
  const ofType = issue.errors.map((branch) => branch[0]!).find((first) => boundCodes.has(first.code));
  if (ofType !== undefined) return describe(ofType);
  const kinds = issue.errors.flatMap((branch) => kindOf(branch[0]!));
  return expected(kinds.join(' or '), issue.input);
}

/** What a branch of a union takes, if that is what it complains about. */
function kindOf(issue: Issue): string[] {
  if (issue.code === 'invalid_type') return [typeName(issue.expected)];
  return issue.code === 'invalid_value' ? [oneOf(issue.values)] : [];
}

function expected(what: string, received: unknown): string {
  return `expected ${what}, received ${showValue(received)}`;
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? showValue(values[0]) : `one of ${values.map(showValue).join(', ')}`;
}

function typeName(type: string): string {
  return type === 'int' ? 'integer' : type;
}

function bound(inclusive: boolean | undefined, closed: string, open: string): string {
  return inclusive === false ? open : closed;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}

/** Short enough for an error message, whatever a client sent. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}
