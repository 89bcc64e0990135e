/** Decoded files in pieces that fit in memory, however long their lines are. */

/** Lines without their ends; `fail` makes the error for one that is longer than `limit` characters. */
export async function* linesOf(
  chunks: AsyncIterable<string>,
  limit: number,
  fail: (line: number) => Error,
): AsyncGenerator<{ readonly line: number; readonly text: string }> {
  let line = 1;
  let rest = '';
  for await (const chunk of chunks) {
    const parts = chunk.split('\n');
    parts[0] = rest + parts[0];
    rest = parts.pop()!;
    for (const text of parts) {
      if (text.length > limit) throw fail(line);
      yield { line: line++, text };
    }
    if (rest.length > limit) throw fail(line);
  }
  if (rest !== '') yield { line, text: rest };
}

/** Pieces of about `size` characters, cut behind a line or a word if there is one, never inside a character. */
export async function* piecesOf(
  chunks: AsyncIterable<string> | Iterable<string>,
  size: number,
): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    rest += chunk;
    while (rest.length > size) {
      const end = cutBefore(rest, size);
      yield rest.slice(0, end);
      rest = rest.slice(end);
    }
  }
  if (rest !== '') yield rest;
}

function cutBefore(text: string, size: number): number {
  for (const end of ['\n', ' ']) {
    const at = text.lastIndexOf(end, size - 1);
    // A space belongs to the word behind it.
    if (at > size / 2) return end === '\n' ? at + 1 : at;
  }
  const isInside = /^[\uDC00-\uDFFF]/.test(text.slice(size, size + 1));
  return isInside ? size - 1 : size;
}
