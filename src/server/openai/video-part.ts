/**
 * Videos of a message: `video_url` with an animated image or, as vLLM has it, with frames in one data URL; or `video`
 * with a list of frames, as DashScope has it. Films are not decoded here.
 */

import { z } from 'zod';
import type { ImageLink, ImagePart, VideoPart } from '../../core/messages.js';
import { splitDataUrl } from './data-url.js';
import { boundedArray, invalidField } from './fields.js';
import { bytesOf, imageFrom, refusedImage } from './image-part.js';

/** The most frames that are sent at once, however few of them are looked at. */
const maxSentFrames = 1024;

const url = z.string().min(1);

export const videoUrlPart = z.looseObject({
  type: z.literal('video_url'),
  video_url: z.union([url, z.looseObject({ url })]),
});

export const frameListPart = z.looseObject({
  type: z.literal('video'),
  video: z.union([url, boundedArray(url, maxSentFrames)]),
});

type VideoUrl = z.output<typeof videoUrlPart>;
type FrameList = z.output<typeof frameListPart>;

/** @throws {TrimtabError} invalid_image or invalid_request, naming the part or frame */
export function videoPart(part: VideoUrl | FrameList, path: string): VideoPart {
  const param = `${path}.${part.type}`;
  const source = part.type === 'video' ? part.video : part.video_url;
  return {
    type: 'video',
    frames: framesOf(typeof source === 'object' && 'url' in source ? source.url : source, param),
    param,
  };
}

function framesOf(source: string | readonly string[], param: string): readonly (ImagePart | ImageLink)[] {
  if (typeof source !== 'string') {
    if (source.length === 0) throw invalidField(param, 'expected frames, received an empty array');
    return source.map((frame, i) => imageFrom(frame, 'auto', `${param}[${i}]`));
  }
  const film = splitDataUrl(source);
  return film?.type.startsWith('video/') ? listedFrames(film, param) : [imageFrom(source, 'auto', param)];
}

/** `data:video/jpeg;base64,<frame>,<frame>,…`, each frame a file. */
function listedFrames(
  { type, isBase64, body }: NonNullable<ReturnType<typeof splitDataUrl>>,
  param: string,
): readonly ImagePart[] {
  if (!isBase64 || !/^video\/(jpeg|jpg|png|webp|gif)$/.test(type)) {
    throw refusedImage(
      param,
      `${type.slice(0, 40)} is not decoded here; send an animated GIF or WebP as a data URL, or frames as ` +
        'data:video/jpeg;base64,<frame>,<frame>,…',
    );
  }
  const frames = body.split(',', maxSentFrames + 1);
  if (frames.length > maxSentFrames) throw refusedImage(param, `more than ${maxSentFrames} frames`);
  return frames.map((frame, i) => {
    const name = frames.length === 1 ? param : `${param}[${i}]`;
    return { type: 'image', bytes: bytesOf(frame, name), detail: 'auto', param: name };
  });
}
