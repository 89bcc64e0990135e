/** Tool calls of an answer on the wire, whole and in pieces. */

import type { FinishReason, ToolCallDelta } from '../../core/messages.js';
import type { ToolDialect } from './tools.js';

export type WireFinishReason = FinishReason | 'tool_calls' | 'function_call';

/** OpenAI tells a caller who named the function `stop`. */
export function finishReason(reason: FinishReason, called: boolean, dialect: ToolDialect): WireFinishReason {
  if (reason !== 'stop' || !called || dialect.isNamed) return reason;
  return dialect.isLegacy ? 'function_call' : 'tool_calls';
}

/** The name comes once per call, in its first piece; clients would add it up. */
export function toolCallsDelta(deltas: readonly ToolCallDelta[], dialect: ToolDialect): object {
  if (dialect.isLegacy) {
    const { name, arguments: text } = joined(deltas);
    return { function_call: { ...(name !== undefined && { name }), arguments: text } };
  }
  return {
    tool_calls: deltas.map(({ index, id, name, arguments: text }) => ({
      index,
      ...(id !== undefined && { id, type: 'function' }),
      function: { ...(name !== undefined && { name }), arguments: text },
    })),
  };
}

/** The calls that the pieces add up to, as members of a message; none for none. */
export function toolCallsMessage(deltas: readonly ToolCallDelta[], dialect: ToolDialect): object {
  const count = new Set(deltas.map(({ index }) => index)).size;
  if (count === 0) return {};
  const calls = Array.from({ length: count }, (_, k) => joined(deltas.filter(({ index }) => index === k)));
  if (dialect.isLegacy) return { function_call: { name: calls[0]!.name, arguments: calls[0]!.arguments } };
  return {
    tool_calls: calls.map(({ id, name, arguments: text }) => ({
      id,
      type: 'function',
      function: { name, arguments: text },
    })),
  };
}

function joined(deltas: readonly ToolCallDelta[]) {
  const { id, name } = deltas[0]!;
  return { id, name, arguments: deltas.map((delta) => delta.arguments).join('') };
}
