/** A copy of a vision checkpoint with other settings, other files or other names of tensors. */

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { safetensorsBytes, temporaryFolder } from './safetensors-bytes.js';
import { visionFixtureFolder } from './vision-fixture.js';

type Keys = Readonly<Record<string, unknown>>;

export interface Changes {
  /** Keys laid over `config.json`; `vision_config` key by key. */
  readonly config?: Keys;
  /** Keys laid over the image processor. */
  readonly preprocessor?: Keys;
  readonly rename?: (tensor: string) => string;
  readonly drop?: readonly string[];
}

export function changedCheckpoint(
  name: string,
  { config, preprocessor, rename, drop = [] }: Changes,
): string {
  const folder = join(temporaryFolder(), name);
  cpSync(visionFixtureFolder(name), folder, { recursive: true });
  if (config !== undefined) editJson(join(folder, 'config.json'), (old) => overlay(old, config));
  if (preprocessor !== undefined) writePreprocessor(folder, preprocessor);
  if (rename !== undefined) renameTensors(join(folder, 'model.safetensors'), rename);
  for (const file of drop) rmSync(join(folder, file));
  return folder;
}

/** As transformers 4 wrote it, in a file of its own. */
function writePreprocessor(folder: string, changes: Keys): void {
  const { image_processor: old } = readJson(join(folder, 'processor_config.json'));
  writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify({ ...(old as Keys), ...changes }));
  rmSync(join(folder, 'processor_config.json'));
}

function overlay(old: Keys, changes: Keys): Keys {
  const { vision_config: vision, ...rest } = changes;
  return { ...old, ...rest, vision_config: { ...(old.vision_config as Keys), ...(vision as Keys) } };
}

function renameTensors(path: string, rename: (tensor: string) => string): void {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Keys;
  const renamed = Object.entries(header).map(([key, value]) => [
    key === '__metadata__' ? key : rename(key),
    value,
  ]);
  writeFileSync(path, safetensorsBytes(Object.fromEntries(renamed), bytes.subarray(8 + length)));
}

function editJson(path: string, edit: (old: Keys) => Keys): void {
  writeFileSync(path, JSON.stringify(edit(readJson(path))));
}

function readJson(path: string): Keys {
  return JSON.parse(readFileSync(path, 'utf8')) as Keys;
}
