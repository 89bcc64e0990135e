/**
 * Chat templates are written against Python's Jinja; the JavaScript interpreter differs from it in a few
 * methods of strings. `followPython` rewrites those calls to functions that do what Python does.
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
  if (typeof text !== 'string') throw new Error('strip() is a method of strings');
  const chars = Array.from(text);
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
    if (isCall(node)) rewriteCall(node);
  }
}

interface MethodCall extends Node {
  callee: { type: string; object: unknown; property: { value: string }; computed: boolean; value?: string };
  args: unknown[];
}

function isCall(node: object): node is MethodCall {
  if (!('type' in node) || node.type !== 'CallExpression' || !('callee' in node)) return false;
  const callee = node.callee as Node;
  return callee.type === 'MemberExpression' && callee.computed === false;
}

function rewriteCall(call: MethodCall): void {
  const name = `__${call.callee.property.value}`;
  if (!Object.hasOwn(pythonFunctions, name)) return;
  call.args = [call.callee.object, ...call.args];
  call.callee = Object.assign(Object.create(null), { type: 'Identifier', value: name });
}
