import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, splitDataUrl } from '../../../src/server/openai/data-url.js';

/** What is base64, letter by letter. */
const plain = /^[A-Za-z0-9+/_\-\s]*={0,2}\s*$/;

describe('decodeBase64', () => {
  it('should take what is base64 and nothing else', () => {
    const letter = fc.constantFrom(...'AZaz09+/-_=% \n');
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 12 }), (letters) => {
        const text = letters.join('');
        expect(decodeBase64(text) !== undefined).toBe(plain.test(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('should give the bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(bytes);
      }),
    );
  });
});

describe('splitDataUrl', () => {
  it('should tell type, encoding and body', () => {
    expect(splitDataUrl('data:Video/JPEG;a=b;base64,AA,BB')).toEqual({
      type: 'video/jpeg',
      isBase64: true,
      body: 'AA,BB',
    });
    expect(splitDataUrl('data:,x')).toEqual({ type: '', isBase64: false, body: 'x' });
    expect(splitDataUrl('https://example.com/a,b')).toBeUndefined();
  });
});
