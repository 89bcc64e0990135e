/** Files of a request as they come, under the hash of their bytes, and what their headers say of them. */

import { createHash } from 'node:crypto';
import type { ImagePart } from '../../core/messages.js';
import type { ImageLimits } from './decode-image.js';
import { measureFrames, measureImage } from './decode-image.js';
import { sampledFrames } from './even-places.js';
import type { Size } from './picture.js';
import type { ImageFile, VisualSource } from './tile-protocol.js';

/** Keeps what was computed under a key. */
export type Remember = <T extends object>(key: string, compute: () => Promise<T>) => Promise<T>;

export class ImageFiles {
  readonly #limits: ImageLimits;
  readonly #remember: Remember;

  constructor(limits: ImageLimits, remember: Remember) {
    this.#limits = limits;
    this.#remember = remember;
  }

  /** @throws {TrimtabError} invalid_image as `measureImage` */
  size({ bytes, hash, param }: ImageFile): Promise<Size> {
    return this.#remember(`size:${hash}`, () => measureImage(bytes, this.#limits, param));
  }

  /**
   * The frames of a video that are looked at, `few` at most, and how many there are. A single file may be an animation;
   * of several, those that are left out are not even measured.
   * @throws {TrimtabError} invalid_image for a file that cannot be used
   */
  async frames(parts: readonly ImagePart[], few: number): Promise<{ source: VisualSource; total: number }> {
    if (parts.length === 1) return this.#animation(hashed(parts[0]!), few);
    const files = sampledFrames(parts.length, few).map((index) => hashed(parts[index]!));
    for (const file of files) await this.size(file);
    return { source: { files }, total: parts.length };
  }

  async #animation(file: ImageFile, few: number): Promise<{ source: VisualSource; total: number }> {
    const measure = () => measureFrames(file.bytes, this.#limits, file.param);
    const { frames } = await this.#remember(`frames:${file.hash}`, measure);
    if (frames === 1) return { source: { files: [file] }, total: 1 };
    const animation = { frames, chosen: sampledFrames(frames, few) };
    return { source: { files: [file], animation }, total: frames };
  }
}

export function hashed({ bytes, param }: ImagePart): ImageFile {
  return { bytes, param, hash: createHash('sha256').update(bytes).digest('hex') };
}

/** Of all that is looked at. */
export function hashOf({ files, animation }: VisualSource): string {
  const [first] = files;
  if (files.length === 1 && animation === undefined) return first!.hash;
  const names = [...files.map(({ hash }) => hash), ...(animation?.chosen ?? [])].join();
  return createHash('sha256').update(names).digest('hex');
}
