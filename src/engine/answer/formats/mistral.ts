import { randomInt } from 'node:crypto';
import type { ToolFormat } from '../tool-format.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** `[TOOL_CALLS] [{"name": …, "arguments": …}, …]`: Mistral up to its third tokenizer. */
export const mistral: ToolFormat = {
  name: 'mistral',
  marker: '[TOOL_CALLS]',
  markerIsControl: true,
  markerIsOptional: false,
  begin: '[',
  separator: ',',
  end: ']',
  argumentsKey: 'arguments',
  recognises: (template) => template.includes('[TOOL_CALLS]') && !template.includes('[ARGS]'),
  /** The templates take nine letters or digits, and refuse anything else. */
  newCallId: () => Array.from({ length: 9 }, () => LETTERS[randomInt(LETTERS.length)]).join(''),
};
