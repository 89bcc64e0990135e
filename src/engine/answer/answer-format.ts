/** What the answers of a model are made of, found out from its chat template when it is loaded. */

import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { hermes } from './formats/hermes.js';
import { llama3 } from './formats/llama3.js';
import { mistral } from './formats/mistral.js';
import type { ToolFormat } from './tool-format.js';

export interface AnswerFormat {
  /** Undefined if the model was not made for tools, or writes calls in a way that is not known here. */
  readonly tools: ToolFormat | undefined;
  /** The template has a place for tools. */
  readonly takesTools: boolean;
  /** The model thinks in `<think>…</think>` before it answers. */
  readonly reasons: boolean;
  /** Control tokens that are part of the text, since they mark calls. */
  readonly markerIds: ReadonlySet<number>;
}

export const plainFormat: AnswerFormat = {
  tools: undefined,
  takesTools: false,
  reasons: false,
  markerIds: new Set(),
};

/** In the order in which they are asked. */
const toolFormats: readonly ToolFormat[] = [hermes, mistral, llama3];

export function detectAnswerFormat(tokenizer: Tokenizer): AnswerFormat {
  const template = tokenizer.chatTemplateSource;
  const takesTools = /\btools\b/.test(template);
  const tools = takesTools ? toolFormats.find((format) => format.recognises(template)) : undefined;
  return {
    tools,
    takesTools,
    reasons: template.includes('</think>'),
    markerIds: markerIds(tokenizer, tools),
  };
}

function markerIds(tokenizer: Tokenizer, tools: ToolFormat | undefined): ReadonlySet<number> {
  const markers = [tools?.marker, tools?.end];
  const ids = [...tokenizer.specialTokenIds].filter((id) => markers.includes(tokenizer.tokenPiece(id)));
  return new Set(ids);
}
