/** The vision checkpoints of `test/fixtures/vision` and what transformers computed with them. */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type {
  ChatMessage,
  ContentPart,
  ImageDetail,
  ImagePart,
  Prompt,
  VideoPart,
} from '../../src/core/messages.js';
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
  readonly type: 'text' | 'image' | 'video';
  readonly text?: string;
  readonly image?: string;
  readonly frames?: readonly string[];
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
  /** Rows of the decoder for the video of the case `video first`, where the model takes videos. */
  readonly videoFeatures: Float32Array | undefined;
}

export function readVisionReference(name: string): VisionReference {
  const { cases, pixels } = JSON.parse(readFileSync(`${root}${name}/expected.json`, 'utf8'));
  const floats = (file: string) =>
    new Float32Array(new Uint8Array(readFileSync(`${root}${name}/${file}`)).buffer);
  const levels = new Uint8Array(readFileSync(`${root}${name}/levels.u8`));
  const hasVideo = existsSync(`${root}${name}/video-features.f32`);
  const videoFeatures = hasVideo ? floats('video-features.f32') : undefined;
  return { cases, pixels, levels, features: floats('features.f32'), videoFeatures };
}

export function loadVisionModel(name: string, weights: 'fp32' | 'int8' = 'fp32'): Promise<LoadedModel> {
  const folder = visionFixtureFolder(name);
  return loadModel({ id: name, folder, weights, cacheDir: compiledFolder, threads: 1 });
}

export function imagePart(name: string, detail: ImageDetail = 'auto'): ImagePart {
  return { type: 'image', bytes: imageBytes(name), detail, param: `messages[0].content.${name}` };
}

export function videoPart(...frames: readonly string[]): VideoPart {
  return {
    type: 'video',
    frames: frames.map((frame) => imagePart(frame)),
    param: 'messages[0].content.video',
  };
}

/** The conversation of a case as a request brings it. */
export function visionPrompt(messages: VisionCase['messages']): Prompt {
  const toPart = ({ text, image, frames }: FixturePart): ContentPart => {
    if (frames !== undefined) return videoPart(...frames);
    return image === undefined ? { type: 'text', text: text! } : imagePart(image);
  };
  const toContent = (parts: readonly FixturePart[]): ChatMessage['content'] =>
    parts.every(({ type }) => type === 'text') ? parts.map(({ text }) => text).join('') : parts.map(toPart);
  return {
    kind: 'chat',
    messages: messages.map(({ role, content }) => ({ role, content: toContent(content) })),
    addGenerationPrompt: true,
    continueFinalMessage: false,
  };
}
