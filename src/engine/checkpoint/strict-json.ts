/**
 * `JSON.parse` for files that nobody vouches for: bounded depth, and no duplicate keys (of which `JSON.parse`
 * silently keeps the last, so that two readers of one file could see different things).
 */

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;

/** Throws a `SyntaxError` that says what is wrong; the caller knows the file. */
export function parseStrictJson(text: string, maxDepth: number): unknown {
  refuseDepth(text, maxDepth);
  const value: unknown = JSON.parse(text);
  refuseDuplicateKeys(text);
  return value;
}

function refuseDepth(text: string, maxDepth: number): void {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === quote) i = endOfString(text, i);
    else if (opens(char) && ++depth > maxDepth)
      throw new SyntaxError(`nested deeper than ${maxDepth} levels`);
    else if (closes(char)) depth--;
  }
}

/** `text` is valid JSON here, so a string followed by a colon is a key of the innermost open object. */
function refuseDuplicateKeys(text: string): void {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (opens(char)) open.push(new Set());
    else if (closes(char)) open.pop();
    else if (char === quote) {
      const end = endOfString(text, i);
      if (isKey(text, end)) addKey(open[open.length - 1]!, JSON.parse(text.slice(i, end + 1)) as string);
      i = end;
    }
  }
}

function addKey(keys: Set<string>, key: string): void {
  if (keys.has(key)) throw new SyntaxError(`the key ${JSON.stringify(key)} appears twice`);
  keys.add(key);
}

function isKey(text: string, closingQuote: number): boolean {
  let next = closingQuote + 1;
  while (text.charCodeAt(next) <= 0x20) next++;
  return text.charCodeAt(next) === colon;
}

/** Index of the closing quote of the string that opens at `start` (the end of the text if it never closes). */
function endOfString(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text.charCodeAt(i) !== quote) i += text.charCodeAt(i) === backslash ? 2 : 1;
  return i;
}

const opens = (char: number) => char === 0x7b || char === 0x5b;
const closes = (char: number) => char === 0x7d || char === 0x5d;
