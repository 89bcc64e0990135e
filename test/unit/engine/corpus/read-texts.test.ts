import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readTexts } from '../../../../src/engine/corpus/read-texts.js';
import { piecesOf } from '../../../../src/engine/corpus/split-text.js';

const folder = mkdtempSync(join(tmpdir(), 'texts-'));

async function read(name: string, content: string | Buffer): Promise<string[]> {
  const file = join(folder, name);
  writeFileSync(file, content);
  const texts: string[] = [];
  for await (const text of readTexts([file], () => {})) texts.push(text);
  return texts;
}

describe('readTexts', () => {
  it.each<[string, unknown, string[]]>([
    ['a string', 'one', ['one']],
    ['a record with a text', { id: 1, text: 'one' }, ['one']],
    ['a record with content', { content: 'one' }, ['one']],
    ['content in parts', { content: [{ type: 'text', text: 'one' }, { type: 'image_url' }] }, ['one']],
    [
      'a chat, of which the assistant counts',
      {
        messages: [
          { role: 'system', content: 'be brief' },
          { role: 'user', content: 'count' },
          { role: 'assistant', content: 'one' },
          { role: 'assistant', content: null, tool_calls: [] },
          { role: 'assistant', content: [{ type: 'text', text: 'two' }] },
        ],
      },
      ['one', 'two'],
    ],
    ['recorded answers', { question_id: 1, choices: [{ turns: ['one', 'two'] }] }, ['one', 'two']],
    ['recorded replies', { choices: [{ message: { role: 'assistant', content: 'one' } }] }, ['one']],
  ])('reads %s of JSON lines', async (_, line, texts) => {
    expect(await read('a.jsonl', `\n${JSON.stringify(line)}\n\n`)).toEqual(texts);
  });

  it('reads plain text as it stands, whatever it looks like', async () => {
    expect(await read('a.txt', '{"text": "x"}\r\nné\n')).toEqual(['{"text": "x"}\r\nné\n']);
    expect(await read('a.txt', '')).toEqual([]);
  });

  it.each<[string, string, string | Buffer, RegExp]>([
    ['what is not JSON', 'b.jsonl', '"one"\n{two', /b\.jsonl:2: expected JSON with text, content, messages/],
    ['JSON without a text', 'b.jsonl', '{"a": 1}', /b\.jsonl:1: expected JSON/],
    ['a wrong type', 'b.jsonl', '{"text": 3}', /b\.jsonl:1: expected JSON/],
    ['a line without end', 'b.jsonl', `"${'x'.repeat(2 ** 24)}"`, /b\.jsonl:1: expected a line of at most/],
    ['bytes that are no text', 'b.txt', Buffer.from([0x61, 0xff, 0x62]), /b\.txt: expected UTF-8/],
    ['half a character at the end', 'b.txt', Buffer.from([0x61, 0xc3]), /b\.txt: expected UTF-8/],
  ])('names file and line for %s', async (_, name, content, message) => {
    await expect(read(name, content)).rejects.toThrow(message);
  });

  it('counts every byte that it reads', async () => {
    const file = join(folder, 'c.txt');
    writeFileSync(file, 'é'.repeat(200_000));
    let bytes = 0;
    for await (const _ of readTexts([file, file], (more) => {
      bytes += more;
    }));
    expect(bytes).toBe(800_000);
  });
});

describe('piecesOf', () => {
  const pieces = async (text: string, size: number) => {
    const found: string[] = [];
    for await (const piece of piecesOf([text], size)) found.push(piece);
    expect(found.join('')).toBe(text);
    return found;
  };

  it('cuts behind a line, before a word, or anywhere but inside a character', async () => {
    expect(await pieces('one two\nthree four', 10)).toEqual(['one two\n', 'three four']);
    expect(await pieces('one two three', 10)).toEqual(['one two', ' three']);
    expect(await pieces('x'.repeat(25), 10)).toEqual(['x'.repeat(10), 'x'.repeat(10), 'x'.repeat(5)]);
    expect(await pieces('\u{1F600}'.repeat(7), 5)).toEqual([
      '\u{1F600}'.repeat(2),
      '\u{1F600}'.repeat(2),
      '\u{1F600}'.repeat(2),
      '\u{1F600}',
    ]);
  });
});
