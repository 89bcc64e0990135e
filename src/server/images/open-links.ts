/** Turns the links in the messages of a request into the bytes behind them, before a backend sees the request. */

import type { ModelInfo } from '../../core/backend.js';
import { TrimtabError } from '../../core/errors.js';
import type { ChatMessage, ContentPart, Prompt } from '../../core/messages.js';
import type { ImageFetcher } from './image-fetcher.js';

/** More links than this in one request are not even tried. */
const maxLinks = 64;

/** @throws {TrimtabError} unsupported_parameter for images to a model that reads text only, invalid_image */
export async function openLinks<T extends Prompt>(
  prompt: T,
  model: ModelInfo,
  fetcher: ImageFetcher,
  signal: AbortSignal,
): Promise<T> {
  if (prompt.kind !== 'chat') return prompt;
  const parts = prompt.messages.flatMap(({ content }) =>
    Array.isArray(content) ? (content as ContentPart[]) : [],
  );
  const images = parts.filter((part) => part.type !== 'text');
  refuseUnreadable(images, model);
  if (!images.some((part) => part.type === 'image_link')) return prompt;
  const messages: ChatMessage[] = [];
  for (const message of prompt.messages) messages.push(await openMessage(message, fetcher, signal));
  return { ...prompt, messages };
}

async function openMessage(
  message: ChatMessage,
  fetcher: ImageFetcher,
  signal: AbortSignal,
): Promise<ChatMessage> {
  if (message.content === null || typeof message.content === 'string') return message;
  const content: ContentPart[] = [];
  for (const part of message.content) content.push(await openPart(part, fetcher, signal));
  return { ...message, content };
}

async function openPart(part: ContentPart, fetcher: ImageFetcher, signal: AbortSignal): Promise<ContentPart> {
  if (part.type !== 'image_link') return part;
  const { url, detail, param } = part;
  return { type: 'image', bytes: await fetcher.fetch(url, param, signal), detail, param };
}

function refuseUnreadable(images: readonly Exclude<ContentPart, { type: 'text' }>[], model: ModelInfo): void {
  const [first] = images;
  if (first === undefined) return;
  const { param } = first;
  if (!model.inputModalities.includes('image')) {
    throw new TrimtabError('unsupported_parameter', `${param}: the model ${model.id} reads text only.`, {
      param,
    });
  }
  const links = images.filter((part) => part.type === 'image_link').length;
  if (links <= maxLinks) return;
  throw new TrimtabError('invalid_request', `messages: ${links} links to images, the limit is ${maxLinks}`, {
    param: 'messages',
  });
}
