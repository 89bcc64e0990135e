/** Image files that are made to be refused, or to move. */

import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';

/** A PNG whose header says how large it is and whose body is short; with `frames`, one that says it is animated. */
export function hugePng(side: number, frames?: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([1, 0, 0, 0, 0], 8);
  const control = Buffer.alloc(8);
  control.writeUInt32BE(frames ?? 0);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...(frames === undefined ? [] : [chunk('acTL', control)]),
    chunk('IDAT', deflateSync(Buffer.alloc(1 << 16))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** One frame for each colour. */
export function animation(format: 'gif' | 'webp', colors: readonly string[], side = 8): Promise<Uint8Array> {
  const frames = colors.map((background) => ({
    create: { width: side, height: side, channels: 3 as const, background },
  }));
  const options = format === 'webp' ? { lossless: true } : {};
  return sharp(frames as never, { join: { animated: true } })
    [format](options)
    .toBuffer();
}
