/** Held-out questions about pictures, as `training/evaluate.py` writes them. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ImagePart, Prompt } from '../../src/core/messages.js';

export interface Question {
  readonly task: string;
  readonly image: ImagePart;
  readonly expect: string;
  readonly prompt: Prompt;
}

interface Item {
  readonly task: string;
  readonly image: string;
  readonly expect: string;
  readonly messages: readonly {
    readonly content: readonly { readonly type: string; readonly text?: string }[];
  }[];
}

/** Every `stride`-th question of a set. */
export function readQuestions(path: string, stride: number): Question[] {
  const { items } = JSON.parse(readFileSync(path, 'utf8')) as { readonly items: readonly Item[] };
  return items.filter((_, i) => i % stride === 0).map((item) => toQuestion(item, dirname(path)));
}

function toQuestion({ task, image: name, expect, messages }: Item, folder: string): Question {
  const bytes = new Uint8Array(readFileSync(join(folder, name)));
  const image: ImagePart = { type: 'image', bytes, detail: 'auto', param: name };
  const content = messages[0]!.content.map(({ type, text }) =>
    type === 'image' ? image : ({ type: 'text', text: text! } as const),
  );
  const prompt: Prompt = {
    kind: 'chat',
    messages: [{ role: 'user', content }],
    addGenerationPrompt: true,
    continueFinalMessage: false,
  };
  return { task: task.replace(/^.*\./, ''), image, expect, prompt };
}
