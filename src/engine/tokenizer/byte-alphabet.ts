/** GPT-2's alphabet: one printable character for each byte, so that any text is a string of "letters". */

const charOfByte: readonly string[] = makeAlphabet();
const byteOfChar: ReadonlyMap<string, number> = new Map(charOfByte.map((char, byte) => [char, byte]));

/** Printable bytes stand for themselves, the others for U+0100 onwards in order. */
function makeAlphabet(): string[] {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

/** Text to letters, by way of UTF-8. */
export function toByteLetters(text: string): string {
  let letters = '';
  for (const byte of Buffer.from(text, 'utf8')) letters += charOfByte[byte]!;
  return letters;
}

/** Letters to bytes; a token with any other character (an added one) is its own UTF-8. */
export function fromByteLetters(letters: string): Uint8Array {
  const bytes: number[] = [];
  for (const letter of letters) {
    const byte = byteOfChar.get(letter);
    if (byte === undefined) return Buffer.from(letters, 'utf8');
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
