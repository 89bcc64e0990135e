/** The vision checkpoints of `test/fixtures/vision` and what transformers computed with them. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChatMessage, ContentPart, ImageDetail, Prompt } from '../../src/core/messages.js';
import type { LoadedModel } from '../../src/engine/loaded-model.js';
import { loadModel } from '../../src/engine/model-loader.js';
import { suiteFolder } from './suite-folder.js';

const root = fileURLToPath(new URL('../fixtures/vision/', import.meta.url));
const compiledFolder = suiteFolder();

export const visionFixtureNames = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'images')
  .map((entry) => entry.name);

export const visionFixtureFolder = (name: string): string => `${root}${name}`;
export const imageBytes = (name: string): Uint8Array => new Uint8Array(readFileSync(`${root}images/${name}`));

interface FixturePart {
  readonly type: 'text' | 'image';
  readonly text?: string;
  readonly image?: string;
}

export interface VisionCase {
  readonly name: string;
  readonly messages: readonly {
    readonly role: ChatMessage['role'];
    readonly content: readonly FixturePart[];
  }[];
  readonly ids: readonly number[];
  readonly greedy: readonly number[];
}

/** Levels of `tiles` tiles, `[tiles, side, side, 3]`, from `offset` on. */
export interface PixelCase {
  readonly image: string;
  readonly offset: number;
  readonly tiles: number;
  /** The first values of the first channel, normalised. */
  readonly firstValues: readonly number[];
}

export interface VisionReference {
  readonly cases: readonly VisionCase[];
  readonly pixels: readonly PixelCase[];
  readonly levels: Uint8Array;
  /** Rows of the decoder for `photo.jpg`. */
  readonly features: Float32Array;
}

export function readVisionReference(name: string): VisionReference {
  const { cases, pixels } = JSON.parse(readFileSync(`${root}${name}/expected.json`, 'utf8'));
  const features = new Uint8Array(readFileSync(`${root}${name}/features.f32`));
  const levels = new Uint8Array(readFileSync(`${root}${name}/levels.u8`));
  return { cases, pixels, levels, features: new Float32Array(features.buffer) };
}

export function loadVisionModel(name: string, weights: 'fp32' | 'int8' = 'fp32'): Promise<LoadedModel> {
  const folder = visionFixtureFolder(name);
  return loadModel({ id: name, folder, weights, cacheDir: compiledFolder, threads: 1 });
}

export function imagePart(name: string, detail: ImageDetail = 'auto'): ContentPart {
  return { type: 'image', bytes: imageBytes(name), detail, param: `messages[0].content.${name}` };
}

/** The conversation of a case as a request brings it. */
export function visionPrompt(messages: VisionCase['messages']): Prompt {
  const toPart = ({ text, image }: FixturePart): ContentPart =>
    image === undefined ? { type: 'text', text: text! } : imagePart(image);
  const toContent = (parts: readonly FixturePart[]): ChatMessage['content'] =>
    parts.every(({ type }) => type === 'text') ? parts.map(({ text }) => text).join('') : parts.map(toPart);
  return {
    kind: 'chat',
    messages: messages.map(({ role, content }) => ({ role, content: toContent(content) })),
    addGenerationPrompt: true,
    continueFinalMessage: false,
  };
}
