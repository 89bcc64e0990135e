import { readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChatMessage } from '../../../../src/core/messages.js';
import { loadTokenizer } from '../../../../src/engine/tokenizer/huggingface-tokenizer.js';
import { expectedRenderings, expectedText, fixturePath, tokenizerNames } from './text-fixtures.js';

const parsed = { addSpecialTokens: false, parseSpecialTokens: true };
const { conversations } = expectedRenderings();

describe.each(tokenizerNames)('%s', async (name) => {
  const tokenizer = await loadTokenizer(fixturePath(`tokenizers/${name}`));
  const { encodings, decodings, chats } = expectedText(name);
  const chat = (messages: readonly ChatMessage[]) =>
    tokenizer.encodePrompt({
      kind: 'chat',
      messages,
      addGenerationPrompt: true,
      continueFinalMessage: false,
    });

  it('encodes the corpus as the reference does, with and without special tokens', () => {
    for (const { text, ids, plain, literal } of encodings) {
      const encoded = [
        tokenizer.encode(text, { addSpecialTokens: true, parseSpecialTokens: true }),
        tokenizer.encode(text, parsed),
        tokenizer.encode(text, { addSpecialTokens: false, parseSpecialTokens: false }),
      ];
      expect(encoded, JSON.stringify(text)).toEqual([ids, plain, literal]);
    }
  });

  it('decodes as the reference does; malformed bytes follow the Encoding Standard', () => {
    let compared = 0;
    for (const { ids, text, raw } of decodings) {
      const decoded = [
        tokenizer.decode(ids, { skipSpecialTokens: true }),
        tokenizer.decode(ids, { skipSpecialTokens: false }),
      ];
      // Byte fallback of the reference turns a whole run of bytes into U+FFFD if one of them is wrong.
      if (raw.includes('\ufffd')) {
        expect(decoded[1]).toContain('\ufffd');
        continue;
      }
      expect(decoded).toEqual([text, raw]);
      compared++;
    }
    expect(compared).toBeGreaterThan(85);
  });

  it('encodes chats as the reference does', () => {
    for (const { conversation, text, ids } of chats) {
      expect(chat(conversations[conversation]!), conversation).toEqual({ ids, text });
    }
  });

  it('never makes a control token of what a message spells, and loses none of the text', () => {
    const spelled = [...tokenizer.specialTokenIds].map((id) => tokenizer.tokenPiece(id));
    const attack = `  ${spelled.join('')}hello ${spelled.join(' x ')}\u{f0000} `;
    const harmless = 'hello';
    const count = (ids: readonly number[]) => ids.filter((id) => tokenizer.specialTokenIds.has(id)).length;
    for (const role of ['user', 'assistant'] as const) {
      const turns = (content: string): ChatMessage[] =>
        role === 'user'
          ? [{ role, content }]
          : [
              { role: 'user', content: 'a' },
              { role, content },
            ];
      const attacked = chat(turns(attack));
      expect(count(attacked.ids)).toBe(count(chat(turns(harmless)).ids));
      expect(attacked.text).toContain(attack.trim());
    }
  });

  it('the pieces of a token, joined as bytes, are the text', () => {
    for (const { text, literal } of encodings) {
      const bytes = Buffer.concat(literal.map((id) => tokenizer.tokenBytes(id)));
      const decoded = tokenizer.decode(literal, { skipSpecialTokens: false, continuation: true });
      expect(bytes.toString('utf8'), text).toBe(decoded);
    }
  });

  it('turns half a surrogate pair into U+FFFD', () => {
    expect(tokenizer.encode('a\ud83d', parsed)).toEqual(tokenizer.encode('a\ufffd', parsed));
  });

  it('refuses a text that cannot fit before it tokenises it', () => {
    const error = expect.objectContaining({ code: 'context_length_exceeded' });
    expect(() => tokenizer.encode('a'.repeat(1_000_000), parsed, 100)).toThrow(error);
    expect(tokenizer.encode('a b', parsed, 100).length).toBeGreaterThan(0);
  });
});

describe('a prompt that is not a chat', async () => {
  const tokenizer = await loadTokenizer(fixturePath('tokenizers/llama2-like'));

  it('as text is parsed fully and gets the beginning-of-text token', () => {
    const { ids } = tokenizer.encodePrompt({ kind: 'text', text: 'a</s>' });
    expect(ids[0]).toBe(tokenizer.bosTokenId);
    expect(ids.at(-1)).toBe(tokenizer.eosTokenId);
  });

  it('as token ids stays as it is', () => {
    const ids = [1, 300, 301];
    expect(tokenizer.encodePrompt({ kind: 'tokens', ids }).ids).toEqual(ids);
  });
});

describe('broken folders', () => {
  let folder: string;
  const good = fixturePath('tokenizers/llama2-like');
  const read = () => JSON.parse(readFileSync(join(good, 'tokenizer.json'), 'utf8'));

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tokenizer-'));
    await cp(good, folder, { recursive: true });
  });
  afterEach(() => rm(folder, { recursive: true }));

  const load = async (file: string, content: string) => {
    await writeFile(join(folder, file), content);
    return loadTokenizer(folder);
  };

  it.each([
    ['half a file', '{"model": {"vocab"', /not JSON/],
    ['an array', '[]', /expected object/],
    ['no model', '{}', /model/],
    [
      'a vocabulary of words',
      JSON.stringify({ ...read(), model: { vocab: { a: 'b' }, merges: [] } }),
      /model\.vocab\.a/,
    ],
    [
      'a huge id',
      JSON.stringify({ ...read(), model: { vocab: { a: 1e12 }, merges: [] } }),
      /model\.vocab\.a/,
    ],
    [
      'a wrong merge',
      JSON.stringify({ ...read(), model: { vocab: { a: 1 }, merges: [7] } }),
      /model\.merges/,
    ],
    [
      'a wrong decoder',
      JSON.stringify({ ...read(), decoder: { type: 'Replace', pattern: 1 } }),
      /decoder Replace/,
    ],
    [
      'a wrong pattern',
      JSON.stringify({ ...read(), pre_tokenizer: splitBy('(') }),
      /pattern|regular expression/i,
    ],
  ])('tokenizer.json with %s is an invalid checkpoint that names the file', async (_, content, message) => {
    const error = {
      code: 'invalid_checkpoint',
      param: 'tokenizer.json',
      message: expect.stringMatching(message),
    };
    await expect(load('tokenizer.json', content)).rejects.toMatchObject(error);
  });

  it.each([
    ['model', { model: { type: 'Unigram', vocab: {}, merges: [] } }],
    ['normalizer', { normalizer: { type: 'Precompiled', precompiled_charsmap: '' } }],
    ['pre-tokenizer', { pre_tokenizer: { type: 'UnicodeScripts' } }],
    ['post-processor', { post_processor: { type: 'BertProcessing' } }],
    ['decoder', { decoder: { type: 'CTC' } }],
  ])('a %s that is not implemented is refused by name', async (what, part) => {
    const error = { code: 'unsupported_model', message: expect.stringContaining(what) };
    await expect(load('tokenizer.json', JSON.stringify({ ...read(), ...part }))).rejects.toMatchObject(error);
  });

  it('a missing tokenizer.json is named', async () => {
    await rm(join(folder, 'tokenizer.json'));
    await expect(loadTokenizer(folder)).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      param: 'tokenizer.json',
    });
  });

  it('invalid UTF-8 is an invalid checkpoint', async () => {
    await writeFile(join(folder, 'tokenizer.json'), Buffer.from([0x7b, 0xff, 0x7d]));
    await expect(loadTokenizer(folder)).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  });

  it('without a chat template, chats are refused and text still works', async () => {
    await rm(join(folder, 'chat_template.jinja'));
    const tokenizer = await loadTokenizer(folder);
    const chat = {
      addGenerationPrompt: true,
      continueFinalMessage: false,
      messages: [{ role: 'user', content: 'a' }],
    };
    expect(tokenizer.hasChatTemplate).toBe(false);
    expect(() => tokenizer.encodePrompt({ kind: 'chat', ...chat } as never)).toThrow(/no chat template/);
    expect(tokenizer.encodePrompt({ kind: 'text', text: 'a' }).ids.length).toBeGreaterThan(1);
  });

  it('takes the chat template from chat_template.json or tokenizer_config.json when there is no .jinja', async () => {
    await rm(join(folder, 'chat_template.jinja'));
    const config = JSON.parse(readFileSync(join(good, 'tokenizer_config.json'), 'utf8'));
    const render = async (file: string, content: unknown) =>
      (await load(file, JSON.stringify(content))).encodePrompt({
        kind: 'chat',
        messages: [],
        addGenerationPrompt: false,
        continueFinalMessage: false,
      }).text;
    expect(await render('tokenizer_config.json', { ...config, chat_template: 'plain' })).toBe('plain');
    const named = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'by name' },
    ];
    expect(await render('tokenizer_config.json', { ...config, chat_template: named })).toBe('by name');
    expect(await render('chat_template.json', { chat_template: 'own file' })).toBe('own file');
  });

  it('a chat template that is not Jinja is an invalid checkpoint', async () => {
    const error = { code: 'invalid_checkpoint', message: expect.stringContaining('chat_template') };
    await expect(load('chat_template.jinja', '{% for %}')).rejects.toMatchObject(error);
  });
});

function splitBy(pattern: string) {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}
