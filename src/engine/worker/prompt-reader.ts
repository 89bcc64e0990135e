/** From the prompt of a request to token ids and, where it has images, to the rows that stand behind some of them. */

import { TrimtabError } from '../../core/errors.js';
import type { ImagePart, Prompt } from '../../core/messages.js';
import type { GenerationPrompt } from '../sequence/generation.js';
import { imageSpans } from '../sequence/image-span.js';
import type { EncodedPrompt, Tokenizer } from '../tokenizer/tokenizer.js';
import type { VisualPolicy } from '../vision/reduce-visual-tokens.js';
import { keepAll } from '../vision/reduce-visual-tokens.js';
import type { PlannedImage, SeenImage, Vision } from '../vision/vision.js';

export interface ReadOptions {
  readonly maxTokens: number;
  readonly policy?: VisualPolicy;
  /** Sees the ids before any image is decoded, and throws for what cannot run. */
  check(ids: readonly number[]): void;
  /** Asked between images; the rest is left out when nobody waits any more. */
  isCancelled(): boolean;
}

export class PromptReader {
  readonly #tokenizer: Tokenizer;
  readonly #vision: Vision | undefined;

  constructor(tokenizer: Tokenizer, vision: Vision | undefined) {
    this.#tokenizer = tokenizer;
    this.#vision = vision;
  }

  /** A prompt without images. */
  read(prompt: Prompt, maxTokens: number): EncodedPrompt {
    return this.#tokenizer.encodePrompt(prompt, maxTokens);
  }

  /** The ids of a prompt with images, which are only measured. */
  async measure(prompt: Prompt, maxTokens: number): Promise<EncodedPrompt> {
    const { encoded } = await this.#plan(prompt, maxTokens, keepAll);
    return encoded;
  }

  /** A prompt with images, or undefined if it was cancelled meanwhile. */
  async see(prompt: Prompt, options: ReadOptions): Promise<GenerationPrompt | undefined> {
    const startedAt = performance.now();
    const { policy = keepAll } = options;
    const { vision, planned, encoded } = await this.#plan(prompt, options.maxTokens, policy);
    options.check(encoded.ids);
    const seen: SeenImage[] = [];
    for (const image of planned) {
      if (options.isCancelled()) return undefined;
      seen.push(await vision.look(image));
    }
    const images = imageSpans(encoded.ids, vision.imageTokenId, seen, vision.width);
    const usage = {
      count: seen.length,
      cached: seen.filter(({ isCached }) => isCached).length,
      tokensIn: planned.reduce((sum, { visualTokens }) => sum + visualTokens, 0),
      tokens: images.reduce((sum, { length }) => sum + length, 0),
      encodeMs: performance.now() - startedAt,
    };
    const merging = {
      unmergedTokens: planned.reduce((sum, { unmergedRows }) => sum + unmergedRows, 0),
      flops: seen.reduce((sum, { mergeFlops }) => sum + mergeFlops, 0),
      ms: seen.reduce((sum, { mergeMs }) => sum + mergeMs, 0),
    };
    return { ...encoded, images, imageUsage: usage, merging };
  }

  async #plan(
    prompt: Prompt,
    maxTokens: number,
    policy: VisualPolicy,
  ): Promise<{ vision: Vision; planned: readonly PlannedImage[]; encoded: EncodedPrompt }> {
    const parts = imageParts(prompt);
    const vision = this.#vision ?? refuseImages(parts[0]!);
    const planned = await vision.plan(parts, policy);
    const texts = planned.map(({ placeholder }) => placeholder);
    const encoded = this.#tokenizer.encodePrompt(prompt, maxTokens, { token: vision.imageToken, texts });
    return { vision, planned, encoded };
  }
}

export function imageParts(prompt: Prompt): ImagePart[] {
  if (prompt.kind !== 'chat') return [];
  return prompt.messages.flatMap(({ content }) =>
    content === null || typeof content === 'string' ? [] : content.filter((part) => part.type === 'image'),
  );
}

function refuseImages({ param }: ImagePart): never {
  throw new TrimtabError('unsupported_parameter', `${param}: this model reads text only.`, { param });
}
