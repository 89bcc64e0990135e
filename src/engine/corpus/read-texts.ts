/** The texts of files, in a stream: plain text by the piece, JSON lines (`.jsonl`, `.ndjson`) by the record. */

import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { TrimtabError } from '../../core/errors.js';
import { linesOf, piecesOf } from './split-text.js';
import { textsOfLine } from './texts-of-line.js';

const LINE_SUFFIXES = ['.jsonl', '.ndjson'];
const PIECE_CHARACTERS = 65_536;
const MAX_LINE_CHARACTERS = 2 ** 24;

/** `onBytes` hears of all that is read. Throws `invalid_config` that names the file, and the line of JSON lines. */
export async function* readTexts(
  files: readonly string[],
  onBytes: (bytes: number) => void,
): AsyncGenerator<string> {
  for (const file of files) {
    const chunks = decoded(file, onBytes);
    if (LINE_SUFFIXES.includes(extname(file))) yield* recordsOf(file, chunks);
    else yield* piecesOf(chunks, PIECE_CHARACTERS);
  }
}

async function* recordsOf(file: string, chunks: AsyncIterable<string>): AsyncGenerator<string> {
  const tooLong = (line: number) =>
    unreadable(file, `a line of at most ${MAX_LINE_CHARACTERS} characters`, line);
  for await (const { line, text } of linesOf(chunks, MAX_LINE_CHARACTERS, tooLong)) {
    if (text.trim() === '') continue;
    const texts = textsOfLine(text);
    if (texts === undefined) throw unreadable(file, 'JSON with text, content, messages or choices', line);
    for (const text of texts) yield* piecesOf([text], PIECE_CHARACTERS);
  }
}

async function* decoded(file: string, onBytes: (bytes: number) => void): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Buffer) => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw unreadable(file, 'UTF-8');
    }
  };
  for await (const bytes of createReadStream(file) as AsyncIterable<Buffer>) {
    onBytes(bytes.length);
    yield decode(bytes);
  }
  yield decode();
}

function unreadable(file: string, expected: string, line?: number): TrimtabError {
  const place = line === undefined ? file : `${file}:${line}`;
  return new TrimtabError('invalid_config', `${place}: expected ${expected}`, { param: file });
}
