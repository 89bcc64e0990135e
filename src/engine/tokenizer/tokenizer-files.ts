/** Reads and checks `tokenizer.json` and the files beside it. Nothing here interprets them. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { TrimtabError } from '../../core/errors.js';

/** The largest published `tokenizer.json` is about 35 MB. */
const MAX_FILE_BYTES = 128 * 2 ** 20;

const tokenId = z.number().int().min(0).max(0x7fffffff);

const addedTokenSchema = z.object({
  id: tokenId,
  content: z.string().min(1),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().optional(),
  special: z.boolean().default(false),
});

/** One stage of the pipeline: its type decides which of the other keys mean something. */
export const stageSchema = z.looseObject({ type: z.string() });

const modelSchema = z.looseObject({
  type: z.string().default('BPE'),
  vocab: z.record(z.string(), tokenId),
  merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  unk_token: z.string().nullish(),
  fuse_unk: z.boolean().default(false),
  byte_fallback: z.boolean().default(false),
  ignore_merges: z.boolean().default(false),
});

const tokenizerSchema = z.object({
  added_tokens: z.array(addedTokenSchema).default([]),
  normalizer: stageSchema.nullish(),
  pre_tokenizer: stageSchema.nullish(),
  post_processor: stageSchema.nullish(),
  decoder: stageSchema.nullish(),
  model: modelSchema,
});

const tokenName = z.union([
  z.string(),
  z.looseObject({ content: z.string() }).transform((token) => token.content),
]);

const configSchema = z.looseObject({
  bos_token: tokenName.nullish(),
  eos_token: tokenName.nullish(),
  unk_token: tokenName.nullish(),
  pad_token: tokenName.nullish(),
  additional_special_tokens: z.array(tokenName).nullish(),
  extra_special_tokens: z.union([z.array(tokenName), z.record(z.string(), tokenName)]).nullish(),
  added_tokens_decoder: z
    .record(z.string(), z.looseObject({ content: z.string(), special: z.boolean().optional() }))
    .nullish(),
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish(),
});

const templateFileSchema = z.looseObject({ chat_template: z.string() });

export type Stage = z.infer<typeof stageSchema>;
export type AddedTokenConfig = z.infer<typeof addedTokenSchema>;
export type TokenizerFile = z.infer<typeof tokenizerSchema>;
export type TokenizerConfig = z.infer<typeof configSchema>;

export interface TokenizerFiles {
  readonly tokenizer: TokenizerFile;
  readonly config: TokenizerConfig;
  /** Chat templates by name, `default` among them; empty if the checkpoint has none. */
  readonly chatTemplates: ReadonlyMap<string, string>;
}

/** Throws `invalid_checkpoint` that names the file, for a missing, oversized or damaged one. */
export async function readTokenizerFiles(folder: string): Promise<TokenizerFiles> {
  const tokenizer = await readJson(folder, 'tokenizer.json', tokenizerSchema);
  if (tokenizer === undefined) throw damaged('tokenizer.json', 'the file is missing');
  const config = (await readJson(folder, 'tokenizer_config.json', configSchema)) ?? {};
  return { tokenizer, config, chatTemplates: await readChatTemplates(folder, config) };
}

/** A file of its own wins over `tokenizer_config.json`, as in transformers. */
async function readChatTemplates(folder: string, config: TokenizerConfig): Promise<Map<string, string>> {
  const jinja = await readText(folder, 'chat_template.jinja');
  if (jinja !== undefined) return new Map([['default', jinja]]);
  const json = await readJson(folder, 'chat_template.json', templateFileSchema);
  const template = json?.chat_template ?? config.chat_template;
  if (template === undefined || template === null) return new Map();
  if (typeof template === 'string') return new Map([['default', template]]);
  return new Map(template.map(({ name, template }) => [name, template]));
}

async function readJson<T>(folder: string, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readText(folder, name);
  if (text === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(text, name));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw damaged(name, `${issue.path.join('.') || 'the file'}: ${issue.message}`);
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(name, 'it is not JSON', cause);
  }
}

/** Undefined if there is no such file. */
async function readText(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw damaged(name, `it has ${size} bytes, more than ${MAX_FILE_BYTES}`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TrimtabError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw damaged(name, error instanceof Error ? error.message : String(error), error);
  }
}

export function damaged(file: string, problem: string, cause?: unknown): TrimtabError {
  return new TrimtabError('invalid_checkpoint', `${file} cannot be used: ${problem}.`, {
    param: file,
    cause,
  });
}

/** For stages that are well-formed but that this engine does not implement. */
export function unsupported(what: string, found: string, known: string): TrimtabError {
  return new TrimtabError(
    'unsupported_model',
    `tokenizer.json: ${what} "${found}" is not supported (known: ${known}).`,
    {
      param: 'tokenizer.json',
    },
  );
}
