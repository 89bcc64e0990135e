/**
 * Chat templates are written against Python's Jinja. The JavaScript interpreter ignores the argument of
 * `strip`, has another idea of white space, and cannot trim an undefined value. `followPython` rewrites those
 * places to call functions that do what Python does. Known to remain: None prints as nothing instead of
 * "None", true in small letters, 1.0 from JSON without its point; dictionaries have no `string` filter and no
 * keys but strings; what a loop printed in the round of its `break` or `continue` is lost.
 */

import type { parse } from '@huggingface/jinja';

type Program = ReturnType<typeof parse>;

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Unicode's white space and the four separators U+001C–U+001F. */
const isSpace = (char: string) => /\p{White_Space}/u.test(char) || (char >= '\u001c' && char <= '\u001f');

function strip(text: unknown, characters: unknown, left: boolean, right: boolean): string {
  const chars = Array.from(String(text ?? ''));
  const set = typeof characters === 'string' ? new Set(characters) : undefined;
  const goes = (char: string) => (set === undefined ? isSpace(char) : set.has(char));
  let from = 0;
  let to = chars.length;
  while (left && from < to && goes(chars[from]!)) from++;
  while (right && to > from && goes(chars[to - 1]!)) to--;
  return chars.slice(from, to).join('');
}

/** Called by rewritten templates, under names that no template uses by itself. */
export const pythonFunctions = {
  __strip: (text: unknown, characters: unknown) => strip(text, characters, true, true),
  __lstrip: (text: unknown, characters: unknown) => strip(text, characters, true, false),
  __rstrip: (text: unknown, characters: unknown) => strip(text, characters, false, true),
} as const;

/** Rewrites `program` in place: `text.strip('x')` becomes `__strip(text, 'x')`. */
export function followPython(program: Program): Program {
  visit(program);
  return program;
}

function visit(node: unknown): void {
  if (node instanceof Map) {
    for (const entry of node) visit(entry);
  } else if (Array.isArray(node)) {
    node.forEach(visit);
  } else if (typeof node === 'object' && node !== null) {
    for (const child of Object.values(node)) visit(child);
    if (isMethodCall(node)) rewriteMethodCall(node);
    else if (isFilter(node)) rewriteFilter(node);
  }
}

interface Identifier extends Node {
  readonly value: string;
}

interface Call extends Node {
  readonly callee: Node;
  readonly args: readonly unknown[];
}

interface MethodCall extends Call {
  readonly callee: Node & { readonly object: unknown; readonly property: Identifier };
}

interface Filter extends Node {
  readonly operand: unknown;
  /** The bare name, or a call of it. */
  readonly filter: Identifier | FilterCall;
}

interface FilterCall extends Call {
  readonly callee: Identifier;
}

const hasType = (node: object, type: string): node is Node => 'type' in node && node.type === type;

function isMethodCall(node: object): node is MethodCall {
  if (!hasType(node, 'CallExpression')) return false;
  const callee = node.callee as Node;
  return callee.type === 'MemberExpression' && callee.computed === false;
}

const isFilter = (node: object): node is Filter => hasType(node, 'FilterExpression');

function rewriteMethodCall(node: MethodCall): void {
  const { callee, args } = node;
  becomeCall(node, `__${callee.property.value}`, [callee.object, ...args]);
}

function rewriteFilter(node: Filter): void {
  const { operand, filter } = node;
  const call = filter.type === 'CallExpression' ? (filter as FilterCall) : undefined;
  const name = call?.callee.value ?? filter.value;
  if (name === 'trim') becomeCall(node, '__strip', [operand, ...(call?.args ?? [])]);
}

/** Turns `node` into a call of a function of ours, if there is one of that name. */
function becomeCall(node: object, name: string, args: readonly unknown[]): void {
  if (!Object.hasOwn(pythonFunctions, name)) return;
  Object.assign(node, { type: 'CallExpression', callee: { type: 'Identifier', value: name }, args });
}
