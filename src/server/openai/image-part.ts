/** `image_url` of a message: a data URL is decoded at once, a link is left for the fetcher. */

import { z } from 'zod';
import { TrimtabError } from '../../core/errors.js';
import type { ImageLink, ImagePart } from '../../core/messages.js';
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
const dataUrl = /^data:([^,]{0,256}),/i;
const base64 = /^[A-Za-z0-9+/_\-\s]*={0,2}$/;

/** @throws {TrimtabError} invalid_image for a data URL that is none */
export function imagePart(part: z.output<typeof imageUrlPart>, path: string): ImagePart | ImageLink {
  const { image_url: image } = part;
  const param = `${path}.image_url`;
  const source = typeof image === 'string' ? image : image.url;
  const looked = typeof image === 'string' ? part.detail : image.detail;
  if (/^data:/i.test(source))
    return { type: 'image', bytes: decodeDataUrl(source, param), detail: looked, param };
  if (source.length > maxLinkLength) {
    throw new TrimtabError('invalid_image', `${param}: a URL of ${source.length} characters`, { param });
  }
  return { type: 'image_link', url: source, detail: looked, param };
}

function decodeDataUrl(text: string, param: string): Uint8Array {
  const head = dataUrl.exec(text);
  const [type = '', ...parameters] = (head?.[1] ?? '').toLowerCase().split(';');
  const refuse = (problem: string) => new TrimtabError('invalid_image', `${param}: ${problem}`, { param });
  if (head === null || !type.startsWith('image/') || parameters.at(-1) !== 'base64') {
    throw refuse('expected a data URL like data:image/png;base64,…');
  }
  const body = text.slice(head[0].length).trimEnd();
  if (!base64.test(body)) throw refuse('the data URL is not valid base64');
  const bytes = Buffer.from(body, 'base64');
  if (bytes.length === 0) throw refuse('the data URL holds no bytes');
  return new Uint8Array(bytes);
}
