/** `image_url` of a message: a data URL is decoded at once, a link is left for the fetcher. */

import { z } from 'zod';
import { TrimtabError } from '../../core/errors.js';
import type { ImageDetail, ImageLink, ImagePart } from '../../core/messages.js';
import { decodeBase64, splitDataUrl } from './data-url.js';
import { withDefault } from './fields.js';

const detail = withDefault(z.enum(['auto', 'low', 'high']), 'auto');
const url = z.string().min(1);

/** OpenAI's object; a plain string as Ollama's clients and the Responses API send it. */
export const imageUrlPart = z.looseObject({
  type: z.enum(['image_url', 'input_image']),
  image_url: z.union([url, z.looseObject({ url, detail })]),
  detail,
});

const maxLinkLength = 8192;

/** @throws {TrimtabError} invalid_image for a data URL that is none */
export function imagePart(part: z.output<typeof imageUrlPart>, path: string): ImagePart | ImageLink {
  const { image_url: image } = part;
  if (typeof image === 'string') return imageFrom(image, part.detail, `${path}.image_url`);
  return imageFrom(image.url, image.detail, `${path}.image_url`);
}

/** @throws {TrimtabError} invalid_image, naming `param` */
export function imageFrom(source: string, detail: ImageDetail, param: string): ImagePart | ImageLink {
  if (/^data:/i.test(source)) return { type: 'image', bytes: imageBytes(source, param), detail, param };
  if (source.length > maxLinkLength) throw refusedImage(param, `a URL of ${source.length} characters`);
  return { type: 'image_link', url: source, detail, param };
}

function imageBytes(source: string, param: string): Uint8Array {
  const url = splitDataUrl(source);
  if (url === undefined || !url.type.startsWith('image/') || !url.isBase64) {
    throw refusedImage(param, 'expected a data URL like data:image/png;base64,…');
  }
  return bytesOf(url.body, param);
}

/** @throws {TrimtabError} invalid_image for what is not base64, or empty */
export function bytesOf(body: string, param: string): Uint8Array {
  const bytes = decodeBase64(body);
  if (bytes === undefined) throw refusedImage(param, 'the data URL is not valid base64');
  if (bytes.length === 0) throw refusedImage(param, 'the data URL holds no bytes');
  return bytes;
}

export function refusedImage(param: string, problem: string): TrimtabError {
  return new TrimtabError('invalid_image', `${param}: ${problem}`, { param });
}
