/** The special tokens that a tokenizer puts around a text of its own. */

import { z } from 'zod';
import { damaged, type Stage, stageSchema, unsupported } from './tokenizer-files.js';

export interface Surroundings {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const sequenceSchema = z.object({ processors: z.array(stageSchema) });
const templateSchema = z.object({
  single: z.array(
    z.union([
      z.object({ SpecialToken: z.object({ id: z.string() }) }),
      z.object({ Sequence: z.object({ id: z.string() }) }),
    ]),
  ),
  special_tokens: z.record(z.string(), z.object({ ids: z.array(z.number().int().min(0)) })),
});

export function readPostProcessor(stage: Stage | null | undefined): Surroundings {
  if (!stage) return { before: [], after: [] };
  switch (stage.type) {
    case 'ByteLevel': // moves offsets only
      return { before: [], after: [] };
    case 'TemplateProcessing':
      return readTemplate(parse(templateSchema, stage));
    case 'Sequence':
      return parse(sequenceSchema, stage)
        .processors.map(readPostProcessor)
        .reduce(wrap, { before: [], after: [] });
    default:
      throw unsupported('post-processor', stage.type, 'ByteLevel, TemplateProcessing, Sequence');
  }
}

function readTemplate({ single, special_tokens }: z.infer<typeof templateSchema>): Surroundings {
  const text = single.findIndex((item) => 'Sequence' in item);
  const idsOf = (items: typeof single) =>
    items.flatMap((item) =>
      'SpecialToken' in item ? (special_tokens[item.SpecialToken.id]?.ids ?? []) : [],
    );
  return { before: idsOf(single.slice(0, text)), after: idsOf(single.slice(text + 1)) };
}

/** Later processors stand further out. */
function wrap(inner: Surroundings, outer: Surroundings): Surroundings {
  return { before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] };
}

function parse<T>(schema: z.ZodType<T>, stage: Stage): T {
  const parsed = schema.safeParse(stage);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw damaged('tokenizer.json', `post_processor ${stage.type}, ${issue.path.join('.')}: ${issue.message}`);
}
