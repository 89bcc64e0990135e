import { randomUUID } from 'node:crypto';
import type { ToolFormat } from '../tool-format.js';

/** `<tool_call>{"name": …, "arguments": …}</tool_call>`, once per call: Hermes, Qwen2.5, Qwen3. */
export const hermes: ToolFormat = {
  name: 'hermes',
  marker: '<tool_call>',
  markerIsControl: true,
  markerIsOptional: false,
  begin: '',
  end: '</tool_call>',
  argumentsKey: 'arguments',
  // Qwen3-Coder writes XML between the same markers.
  recognises: (template) => template.includes('<tool_call>') && !template.includes('<function='),
  newCallId: () => `call_${randomUUID().replaceAll('-', '')}`,
};
