/** From the prompt of a request to token ids and, where it has images, to the rows that stand behind some of them. */

import { TrimtabError } from '../../core/errors.js';
import type { Prompt } from '../../core/messages.js';
import type { GenerationPrompt } from '../sequence/generation.js';
import { imageSpans } from '../sequence/image-span.js';
import type { EncodedPrompt, Placeholders, Tokenizer, VisualPlaceholders } from '../tokenizer/tokenizer.js';
import { keepAll } from '../vision/reduce-visual-tokens.js';
import type { SeenVisual, Vision } from '../vision/vision.js';
import type { Look, PlannedVisual, VisualPart } from '../vision/visual-planner.js';

export interface ReadOptions {
  readonly maxTokens: number;
  /** How images are looked at and reduced; in full if absent. */
  readonly look?: Look;
  /** Sees the ids before any image is encoded, and throws for what cannot run. */
  check(ids: readonly number[]): void;
  /** Asked between images; the rest is left out when nobody waits any more. */
  isCancelled(): boolean;
}

const fully: Look = { policy: keepAll };

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
  async measure(prompt: Prompt, maxTokens: number, look: Look = fully): Promise<EncodedPrompt> {
    const { encoded } = await this.#plan(prompt, maxTokens, look);
    return encoded;
  }

  /** A prompt with images, or undefined if it was cancelled meanwhile. */
  async see(prompt: Prompt, options: ReadOptions): Promise<GenerationPrompt | undefined> {
    const startedAt = performance.now();
    const { vision, planned, encoded } = await this.#plan(prompt, options.maxTokens, options.look ?? fully);
    options.check(encoded.ids);
    const seen: SeenVisual[] = [];
    for (const visual of planned) {
      if (options.isCancelled()) return undefined;
      seen.push(await vision.look(visual));
    }
    const images = imageSpans(encoded.ids, seen, vision.width);
    const usage = {
      count: seen.length,
      cached: seen.filter(({ isCached }) => isCached).length,
      views: sum(planned, ({ plan }) => plan.groups),
      fullViews: sum(planned, ({ fullViews }) => fullViews),
      tokens: sum(images, ({ length }) => length),
      encodeMs: performance.now() - startedAt,
    };
    const merging = {
      unmergedTokens: sum(planned, ({ fullRows }) => fullRows),
      flops: sum(seen, ({ mergeFlops }) => mergeFlops),
      ms: sum(seen, ({ mergeMs }) => mergeMs),
    };
    return { ...encoded, images, imageUsage: usage, merging };
  }

  async #plan(
    prompt: Prompt,
    maxTokens: number,
    look: Look,
  ): Promise<{ vision: Vision; planned: readonly PlannedVisual[]; encoded: EncodedPrompt }> {
    const parts = visualParts(prompt);
    const vision = this.#vision ?? refuseImages(parts[0]!);
    const planned = await vision.plan(parts, look);
    const encoded = this.#tokenizer.encodePrompt(prompt, maxTokens, placeholders(vision, planned));
    return { vision, planned, encoded };
  }
}

/** The images and videos of a chat, in order. */
export function visualParts(prompt: Prompt): VisualPart[] {
  if (prompt.kind !== 'chat') return [];
  return prompt.messages.flatMap(({ content }) =>
    content === null || typeof content === 'string'
      ? []
      : content.filter((part) => part.type === 'image' || part.type === 'video'),
  );
}

/** Where the template takes videos for images, their texts stand among those of images. */
function placeholders({ tokens, videoPart }: Vision, planned: readonly PlannedVisual[]): VisualPlaceholders {
  const texts = (kind: 'image' | 'video'): string[] =>
    planned.flatMap(({ plan, placeholder }) =>
      (plan.kind === 'video' ? videoPart : 'image') === kind ? [placeholder] : [],
    );
  const kinds: Placeholders[] = [
    { what: 'images', token: tokens.image, texts: texts('image') },
    { what: 'videos', token: tokens.video, texts: texts('video') },
  ];
  return { videoPart, kinds };
}

function refuseImages({ param }: VisualPart): never {
  throw new TrimtabError('unsupported_parameter', `${param}: this model reads text only.`, { param });
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
