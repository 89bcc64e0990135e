/** Which files of a repository a model needs; most hold the same weights again in other formats. */

import { TrimtabError } from '../core/errors.js';
import type { HubFile, HubRevision } from './hub-api.js';

export const singleWeights = 'model.safetensors';
export const weightIndex = 'model.safetensors.index.json';

const required = 'config.json';
const optional = [
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'chat_template.json',
  'preprocessor_config.json',
  'processor_config.json',
];

/** The index of sharded weights, which has to be read before the rest is known. */
export function indexFile(id: string, { files }: HubRevision): HubFile | undefined {
  if (!files.has(required))
    throw unusable(id, `has no ${required}, so it is not a model in Hugging Face layout`);
  if (files.has(singleWeights)) return undefined;
  const index = files.get(weightIndex);
  if (index === undefined) throw unusable(id, describeWithoutSafetensors(files));
  return index;
}

/** All files but the index, small ones first; `shards` are the weight files. */
export function neededFiles(id: string, { files }: HubRevision, shards: readonly string[]): HubFile[] {
  const weights = shards.map((name) => {
    const file = files.get(name);
    if (file === undefined) throw unusable(id, `should have the file ${JSON.stringify(name)}, but has not`);
    return file;
  });
  return [...[required, ...optional].flatMap((name) => files.get(name) ?? []), ...weights];
}

/** Weight files that an index (as text) names, without repetition; undefined if it is not an index. */
export function shardNames(index: string): readonly string[] | undefined {
  try {
    const { weight_map: map } = JSON.parse(index) as { weight_map?: unknown };
    const names = [...new Set(Object.values(map as Record<string, unknown>))];
    return names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}

/** Plain names only: what comes from the hub never climbs out of a folder. */
export function isPlainName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,200}$/.test(name) && !name.includes('..');
}

function describeWithoutSafetensors(files: HubRevision['files']): string {
  const others = [...files.keys()].filter((name) => /\.(bin|pt|pth|gguf|onnx|h5|msgpack)$/.test(name));
  const found = others.length === 0 ? '' : ` (only ${others.slice(0, 3).join(', ')})`;
  return `has no ${singleWeights} and no ${weightIndex}${found}; choose a repository with safetensors`;
}

export function unusable(id: string, problem: string): TrimtabError {
  return new TrimtabError('unsupported_model', `${id} ${problem}`, { param: id });
}
