/** Turns the links in the messages of a request into the bytes behind them, before a backend sees the request. */

import type { ModelInfo } from '../../core/backend.js';
import { TrimtabError } from '../../core/errors.js';
import type { ChatMessage, ContentPart, ImageLink, ImagePart, Prompt } from '../../core/messages.js';
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
  const visuals = prompt.messages
    .flatMap(({ content }) => (Array.isArray(content) ? (content as ContentPart[]) : []))
    .filter((part) => part.type !== 'text');
  refuseUnreadable(visuals, model);
  const links = visuals.flatMap(linksIn).length;
  if (links === 0) return prompt;
  if (links > maxLinks) throw tooManyLinks(links);
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
  if (part.type === 'image_link') return open(part, fetcher, signal);
  if (part.type !== 'video') return part;
  const frames: ImagePart[] = [];
  for (const frame of part.frames) {
    frames.push(frame.type === 'image' ? frame : await open(frame, fetcher, signal));
  }
  return { ...part, frames };
}

async function open(
  { url, detail, param }: ImageLink,
  fetcher: ImageFetcher,
  signal: AbortSignal,
): Promise<ImagePart> {
  return { type: 'image', bytes: await fetcher.fetch(url, param, signal), detail, param };
}

type VisualPart = Exclude<ContentPart, { type: 'text' }>;

function linksIn(part: VisualPart): readonly ImageLink[] {
  const files = part.type === 'video' ? part.frames : [part];
  return files.filter((file) => file.type === 'image_link');
}

function refuseUnreadable(visuals: readonly VisualPart[], model: ModelInfo): void {
  const needed = (part: VisualPart) => (part.type === 'video' ? 'video' : 'image');
  const refused = visuals.find((part) => !model.inputModalities.includes(needed(part)));
  if (refused === undefined) return;
  const { param } = refused;
  throw new TrimtabError(
    'unsupported_parameter',
    `${param}: the model ${model.id} reads ${readable(model)} only.`,
    {
      param,
    },
  );
}

const readable = ({ inputModalities }: ModelInfo): string => inputModalities.join(' and ');

function tooManyLinks(links: number): TrimtabError {
  const problem = `${links} links to images, the limit is ${maxLinks}`;
  return new TrimtabError('invalid_request', `messages: ${problem}`, { param: 'messages' });
}
