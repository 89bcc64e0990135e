/** Where a checkpoint keeps its chat template: a file of its own, or a field of `tokenizer_config.json`. */

import { existsSync } from 'node:fs';
import type { JsonObject } from './files.js';
import { invalidCheckpoint, isJsonObject, pathInside, readJsonObject, readText } from './files.js';

const maxTemplateBytes = 1 << 20;
const maxConfigBytes = 64 << 20;

/** The Jinja source, or undefined for a checkpoint without one. A file of its own wins, as in transformers. */
export function readChatTemplate(folder: string): string | undefined {
  const jinja = pathInside(folder, 'chat_template.jinja');
  if (existsSync(jinja)) return readText(jinja, maxTemplateBytes);
  return templateOf(folder, 'chat_template.json') ?? templateOf(folder, 'tokenizer_config.json');
}

function templateOf(folder: string, name: string): string | undefined {
  const path = pathInside(folder, name);
  if (!existsSync(path)) return undefined;
  const { chat_template: template } = readJsonObject(path, maxConfigBytes);
  if (template === undefined || template === null) return undefined;
  const source = Array.isArray(template) ? defaultTemplate(template) : template;
  if (typeof source === 'string' && source.length <= maxTemplateBytes) return source;
  throw invalidCheckpoint(
    path,
    'chat_template should be a string, or a list with a template named "default"',
  );
}

/** Several named templates: `[{ name: 'default', template: '…' }, …]`. */
function defaultTemplate(templates: readonly unknown[]): unknown {
  const named = templates.filter((entry): entry is JsonObject => isJsonObject(entry));
  return named.find((entry) => entry.name === 'default')?.template;
}
