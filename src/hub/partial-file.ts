/**
 * A download on its way: `<blob>.incomplete`, written from front to back and hashed as it grows.
 *
 * Writes go to explicit positions and never truncate, so that two processes that fetch the same blob write the
 * same bytes to the same places and do no harm to each other.
 */

import type { Hash } from 'node:crypto';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm, stat } from 'node:fs/promises';
import { TrimtabError } from '../core/errors.js';
import { diskError } from './disk-error.js';
import type { HubFile } from './hub-api.js';

const rereadBytes = 1 << 20;

export class PartialFile {
  /** Bytes that are written and hashed. */
  position = 0;
  readonly #blob: string;
  readonly #file: HubFile;
  readonly #handle: FileHandle;
  #hash: Hash;

  private constructor(blob: string, file: HubFile, handle: FileHandle) {
    this.#blob = blob;
    this.#file = file;
    this.#handle = handle;
    this.#hash = newHash(file);
  }

  /** Continues what an earlier run left, else starts. */
  static async open(blob: string, file: HubFile): Promise<PartialFile> {
    const flags = constants.O_RDWR | constants.O_CREAT;
    const handle = await open(`${blob}.incomplete`, flags, 0o644).catch((cause) => {
      throw diskError(blob, cause);
    });
    const partial = new PartialFile(blob, file, handle);
    try {
      await partial.#hashExisting();
      return partial;
    } catch (cause) {
      await partial.close();
      throw diskError(blob, cause);
    }
  }

  get isWhole(): boolean {
    return this.position === this.#file.size;
  }

  async append(chunk: Buffer): Promise<void> {
    if (this.position + chunk.length > this.#file.size) {
      throw new TrimtabError(
        'download_failed',
        `${this.#file.name}: more than the ${this.#file.size} bytes announced`,
      );
    }
    await this.#write(chunk);
    this.#hash.update(chunk);
    this.position += chunk.length;
  }

  /** Forgets what is there; the bytes are overwritten as new ones come. */
  restart(): void {
    this.position = 0;
    this.#hash = newHash(this.#file);
  }

  /** True if the whole file has its checksum; call once. */
  verify(): boolean {
    return this.#hash.digest('hex') === this.#file.checksum.hex;
  }

  /** Gives the blob its name. */
  async commit(): Promise<void> {
    try {
      await this.#handle.truncate(this.#file.size);
      await this.#handle.sync();
      await rename(`${this.#blob}.incomplete`, this.#blob);
    } catch (cause) {
      if (!(await this.#committedByAnother())) throw diskError(this.#blob, cause);
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async discard(): Promise<void> {
    await rm(`${this.#blob}.incomplete`, { force: true });
  }

  async #hashExisting(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (size > this.#file.size) return;
    const buffer = Buffer.alloc(Math.min(rereadBytes, size));
    while (this.position < size) {
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.position);
      if (bytesRead === 0) return;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.position += bytesRead;
    }
  }

  async #write(chunk: Buffer): Promise<void> {
    try {
      for (let done = 0; done < chunk.length; ) {
        const rest = chunk.length - done;
        done += (await this.#handle.write(chunk, done, rest, this.position + done)).bytesWritten;
      }
    } catch (cause) {
      throw diskError(this.#blob, cause);
    }
  }

  async #committedByAnother(): Promise<boolean> {
    const found = await stat(this.#blob).catch(() => undefined);
    return found?.size === this.#file.size;
  }
}

/** git hashes a blob together with a small header. */
function newHash({ checksum, size }: HubFile): Hash {
  return checksum.algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}
