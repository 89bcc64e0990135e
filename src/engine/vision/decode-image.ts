/**
 * Bytes from strangers to a picture, on the threads of libuv. Only formats that people send to models are looked
 * at, sizes are known before memory is spent, and colours come out as Pillow's `convert("RGB")` gives them, which
 * is what models saw in training: profiles and transparency ignored, orientation applied.
 */

import type { Metadata, SharpOptions } from 'sharp';
import sharp from 'sharp';
import { TrimtabError } from '../../core/errors.js';
import type { Picture, Size } from './picture.js';

export interface ImageLimits {
  readonly maxBytes: number;
  readonly maxPixels: number;
}

/** How files begin, as Latin-1. */
const signatures: Readonly<Record<string, (start: string) => boolean>> = {
  PNG: (start) => start.startsWith('\x89PNG\r\n\x1a\n'),
  JPEG: (start) => start.startsWith('\xff\xd8\xff'),
  WebP: (start) => start.startsWith('RIFF') && start.startsWith('WEBP', 8),
  GIF: (start) => start.startsWith('GIF87a') || start.startsWith('GIF89a'),
};
const signatureBytes = 16;
const formats = Object.keys(signatures).join(', ');

sharp.cache(false);
sharp.concurrency(1);

/** @throws {TrimtabError} invalid_image, naming `param` */
export function invalidImage(param: string, problem: string, cause?: unknown): TrimtabError {
  return new TrimtabError('invalid_image', `${param}: ${problem}`, { param, cause });
}

/**
 * Size of the image as it will be decoded, from its header.
 * @throws {TrimtabError} invalid_image for what cannot be decoded or is over the limits
 */
export async function measureImage(bytes: Uint8Array, limits: ImageLimits, param: string): Promise<Size> {
  const { frames, ...size } = await measureFrames(bytes, limits, param);
  if (frames === 1) return size;
  throw invalidImage(
    param,
    `animated, with ${frames} frames; send it as a video_url, or one frame as an image`,
  );
}

/**
 * The same of a file that may be animated, all of whose frames are decoded.
 * @throws {TrimtabError} invalid_image as `measureImage`
 */
export async function measureFrames(
  bytes: Uint8Array,
  limits: ImageLimits,
  param: string,
): Promise<Size & { readonly frames: number }> {
  refuseForeign(bytes, limits, param);
  const { width, height, autoOrient, pages: frames = 1 } = await readMetadata(bytes, param);
  if (width * height * frames > limits.maxPixels) {
    const size = `${width} × ${height} pixels`;
    const what = frames === 1 ? size : `${frames} frames of ${size}`;
    throw invalidImage(param, `${what}, the limit is ${limits.maxPixels} in all`);
  }
  return { width: autoOrient.width, height: autoOrient.height, frames };
}

/**
 * To be called after `measureImage`.
 * @throws {TrimtabError} invalid_image for a damaged or truncated file
 */
export async function decodeImage(
  bytes: Uint8Array,
  { maxPixels }: ImageLimits,
  param: string,
): Promise<Picture> {
  const metadata = await readMetadata(bytes, param);
  return orDamaged(param, async () => {
    if (metadata.space === 'cmyk') return fromCmyk(await rawPixels(bytes, maxPixels, 'cmyk'));
    if (metadata.space === 'grey16' && isPlainGrey(bytes))
      return fromGrey16(await rawPixels(bytes, maxPixels, 'grey16'));
    return await rawPixels(bytes, maxPixels, 'srgb');
  });
}

/**
 * The frames of an animation, one below the other in a single picture. To be called after `measureFrames`.
 * @throws {TrimtabError} invalid_image for a damaged or truncated file
 */
export function decodeFrames(bytes: Uint8Array, { maxPixels }: ImageLimits, param: string): Promise<Picture> {
  return orDamaged(param, () => rawPixels(bytes, maxPixels, 'srgb', -1));
}

async function orDamaged(param: string, decode: () => Promise<Picture>): Promise<Picture> {
  try {
    return await decode();
  } catch (cause) {
    throw invalidImage(param, `cannot be decoded, it may be damaged or cut off (${reason(cause)})`, cause);
  }
}

function refuseForeign(bytes: Uint8Array, { maxBytes }: ImageLimits, param: string): void {
  if (bytes.length > maxBytes) throw invalidImage(param, `${bytes.length} bytes, the limit is ${maxBytes}`);
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(signatureBytes, bytes.length)).toString(
    'latin1',
  );
  if (!Object.values(signatures).some((begins) => begins(start))) {
    throw invalidImage(param, `not an image in a format that is read here (${formats})`);
  }
  if (isAnimatedPng(bytes)) throw invalidImage(param, 'an animated PNG, which is not read here');
}

/** libvips would show the first frame of it. What makes a PNG animated stands before its pixels. */
function isAnimatedPng(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x89) return false;
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const pixels = file.indexOf('IDAT');
  return file.subarray(0, pixels === -1 ? file.length : pixels).includes('acTL');
}

/** When measuring, the size is compared by hand, so that the error says what it is. */
function readOptions(limitInputPixels: number | false, pages = 1): SharpOptions {
  return { ignoreIcc: true, failOn: 'error', limitInputPixels, pages };
}

const channelsOf = { srgb: 3, cmyk: 4, grey16: 1 } as const;

async function readMetadata(bytes: Uint8Array, param: string): Promise<Metadata> {
  try {
    return await sharp(bytes, readOptions(false)).metadata();
  } catch (cause) {
    throw invalidImage(param, `the header of the image cannot be read (${reason(cause)})`, cause);
  }
}

async function rawPixels(
  bytes: Uint8Array,
  maxPixels: number,
  space: keyof typeof channelsOf,
  pages = 1,
): Promise<Picture> {
  const upright = sharp(bytes, readOptions(maxPixels, pages)).autoOrient();
  const inSpace = space === 'cmyk' ? upright.pipelineColourspace('cmyk') : upright;
  const depth = space === 'grey16' ? 'ushort' : 'uchar';
  const pixels = inSpace.toColourspace(space).removeAlpha().raw({ depth });
  const { data, info } = await pixels.toBuffer({ resolveWithObject: true });
  if (info.channels !== channelsOf[space]) throw new Error(`${info.channels} channels of ${space}`);
  return { width: info.width, height: info.height, data };
}

/** Without a profile, as Pillow converts: ink subtracted from what black leaves. */
function fromCmyk({ width, height, data }: Picture): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0, to = 0; to < rgb.length; pixel += 4) {
    const light = 255 - data[pixel + 3]!;
    for (let channel = 0; channel < 3; channel++) {
      rgb[to++] = Math.max(0, light - multiplied255(data[pixel + channel]!, light));
    }
  }
  return { width, height, data: rgb };
}

/** a · b / 255, rounded. */
function multiplied255(a: number, b: number): number {
  const product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

/** PNG's colour type 0: grey without an alpha channel, though perhaps with one level that is transparent. */
function isPlainGrey(png: Uint8Array): boolean {
  return png[25] === 0;
}

/** Pillow clips 16 bits of grey at 255, so the reference sees nearly all of such an image as white. So do we. */
function fromGrey16({ width, height, data }: Picture): Picture {
  const values = new Uint16Array(data.buffer, data.byteOffset, width * height);
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < values.length; i++) rgb.fill(Math.min(255, values[i]!), 3 * i, 3 * i + 3);
  return { width, height, data: rgb };
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
}
