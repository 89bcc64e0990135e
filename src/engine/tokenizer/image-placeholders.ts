/** Images and videos in the text of a chat: the template marks where they are, and that mark becomes what the model expects. */

import { TrimtabError } from '../../core/errors.js';
import type { ChatMessage, ContentPart } from '../../core/messages.js';
import type { TemplateMessage, TemplatePart } from './chat-template.js';
import type { Placeholders, VisualPlaceholders } from './tokenizer.js';

export const noVisuals: VisualPlaceholders = { videoPart: 'video', kinds: [] };

/** Templates and what guards them walk through everything in a message; megabytes of pixels are not for them. */
export function withoutBytes(
  messages: readonly ChatMessage[],
  videoPart: VisualPlaceholders['videoPart'],
): TemplateMessage[] {
  const place = (part: ContentPart): TemplatePart => {
    if (part.type === 'text') return part;
    return { type: part.type === 'video' ? videoPart : 'image' };
  };
  return messages.map((message) => {
    const { content } = message;
    if (content === null || typeof content === 'string') return { ...message, content };
    return { ...message, content: content.map(place) };
  });
}

/**
 * Replaces each image and video token that the template wrote. Those that users spell have been taken out of the way.
 * @throws {TrimtabError} unsupported_parameter when the template has not a place for each of them
 */
export function placeVisuals(rendered: string, { kinds }: VisualPlaceholders): string {
  return kinds.reduce(place, rendered);
}

function place(rendered: string, { what, token, texts }: Placeholders): string {
  if (texts.length === 0) return rendered;
  const pieces = rendered.split(token);
  if (pieces.length !== texts.length + 1) {
    const problem = `places ${pieces.length - 1} of the ${texts.length} ${what} in these messages`;
    throw new TrimtabError('unsupported_parameter', `The chat template of this model ${problem}.`, {
      param: 'messages',
    });
  }
  return pieces.map((piece, i) => piece + (texts[i] ?? '')).join('');
}
