/** `data:type;parameters,body` as clients send files. */

const head = /^data:([^,]{0,256}),/i;
const base64 = /^[A-Za-z0-9+/_\-\s]*={0,2}$/;

export interface DataUrl {
  /** In lower case, without parameters. */
  readonly type: string;
  readonly isBase64: boolean;
  readonly body: string;
}

/** Undefined for text that does not begin like a data URL. */
export function splitDataUrl(text: string): DataUrl | undefined {
  const found = head.exec(text);
  if (found === null) return undefined;
  const [type = '', ...parameters] = found[1]!.toLowerCase().split(';');
  return { type, isBase64: parameters.at(-1) === 'base64', body: text.slice(found[0].length) };
}

/** Undefined for text that is not base64. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const body = text.trimEnd();
  const bytes = new Uint8Array(Buffer.from(body, 'base64'));
  return isWholly(bytes, body) || base64.test(body) ? bytes : undefined;
}

/** Megabytes need not be looked at letter by letter: one that is no base64 would have been left out of the bytes. */
function isWholly(bytes: Uint8Array, body: string): boolean {
  const letters = body.length - (body.endsWith('==') ? 2 : body.endsWith('=') ? 1 : 0);
  return letters % 4 !== 1 && bytes.length === Math.floor((letters * 3) / 4);
}
