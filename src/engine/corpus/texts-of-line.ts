/** What a line of JSON says that a model could have said. */

import { z } from 'zod';

const content = z.union([
  z.string(),
  z
    .array(z.looseObject({ text: z.string().optional() }))
    .transform((parts) => parts.map(({ text = '' }) => text).join('')),
]);
const message = z
  .looseObject({ role: z.string(), content: content.nullish() })
  .transform(({ role, content }) => (role === 'assistant' && content ? [content] : []));

/** A text, a record with one, a chat of which the assistant's turns count, or recorded answers. */
const lineSchema = z.union([
  z.string().transform((text) => [text]),
  z.looseObject({ messages: z.array(message) }).transform(({ messages }) => messages.flat()),
  z
    .looseObject({ choices: z.array(z.looseObject({ turns: z.array(z.string()) })) })
    .transform(({ choices }) => choices.flatMap(({ turns }) => turns)),
  z
    .looseObject({ choices: z.array(z.looseObject({ message })) })
    .transform(({ choices }) => choices.flatMap((choice) => choice.message)),
  z.looseObject({ text: z.string() }).transform(({ text }) => [text]),
  z.looseObject({ content }).transform((record) => [record.content]),
]);

/** Undefined for a line that is no JSON or none of these. */
export function textsOfLine(line: string): readonly string[] | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
