/** Images in the text of a chat: the template marks where they are, and that mark becomes what the model expects. */

import { TrimtabError } from '../../core/errors.js';
import type { ChatMessage } from '../../core/messages.js';
import type { TemplateMessage } from './chat-template.js';
import type { ImagePlaceholders } from './tokenizer.js';

export const noImages: ImagePlaceholders = { token: '', texts: [] };

/** Templates and what guards them walk through everything in a message; megabytes of pixels are not for them. */
export function withoutImageBytes(messages: readonly ChatMessage[]): TemplateMessage[] {
  return messages.map((message) => {
    const { content } = message;
    if (content === null || typeof content === 'string') return { ...message, content };
    return { ...message, content: content.map((part) => (part.type === 'text' ? part : { type: 'image' })) };
  });
}

/**
 * Replaces each image token that the template wrote. Those that users spell have been taken out of the way.
 * @throws {TrimtabError} unsupported_parameter when the template has not a place for every image
 */
export function placeImages(rendered: string, { token, texts }: ImagePlaceholders): string {
  if (texts.length === 0) return rendered;
  const pieces = rendered.split(token);
  if (pieces.length !== texts.length + 1) {
    const problem = `places ${pieces.length - 1} of the ${texts.length} images in these messages`;
    throw new TrimtabError('unsupported_parameter', `The chat template of this model ${problem}.`, {
      param: 'messages',
    });
  }
  return pieces.map((piece, i) => piece + (texts[i] ?? '')).join('');
}
