/** Messages of a chat as they come over the wire, to `ChatMessage`. */

import { z } from 'zod';
import type { ChatMessage, ContentPart, ToolCall } from '../../core/messages.js';
import { boundedArray, invalidField, optional, wellFormedText } from './fields.js';
import { imagePart, imageUrlPart } from './image-part.js';
import { unsupported } from './unsupported-fields.js';
import { frameListPart, videoPart, videoUrlPart } from './video-part.js';

const part = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: wellFormedText }),
  z.looseObject({ type: z.literal('refusal'), refusal: wellFormedText }),
  imageUrlPart,
  videoUrlPart,
  frameListPart,
  z.looseObject({ type: z.enum(['input_audio', 'file']) }),
]);
type Part = z.output<typeof part>;

const content = z.union([wellFormedText, boundedArray(part, 1024)]);
const name = optional(z.string().max(256));

const calledFunction = z.looseObject({ name: z.string().max(256), arguments: z.string() });

const toolCall = z.looseObject({
  id: z.string().max(256),
  type: z.literal('function'),
  function: calledFunction,
});

export const chatMessage = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content, name }),
  z.looseObject({
    role: z.literal('assistant'),
    content: optional(content),
    name,
    tool_calls: optional(boundedArray(toolCall, 128)),
    function_call: optional(calledFunction),
    reasoning_content: optional(wellFormedText),
    reasoning: optional(wellFormedText),
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string().max(256) }),
  z.looseObject({ role: z.literal('function'), content: optional(content), name: z.string().max(256) }),
]);
export type WireMessage = z.output<typeof chatMessage>;

/** @throws {TrimtabError} for content that cannot be read, naming `messages[i].content[j]` */
export function toChatMessage(message: WireMessage, index: number): ChatMessage {
  const path = `messages[${index}]`;
  const content = toContent(message.content, path);
  switch (message.role) {
    case 'assistant':
      return assistantMessage(message, content, path);
    case 'tool':
      return { role: 'tool', content, tool_call_id: message.tool_call_id };
    case 'function': // the name that tool messages had before there were tools
      return { role: 'tool', content, name: message.name };
    default:
      return { role: message.role, content, ...(message.name !== undefined && { name: message.name }) };
  }
}

function assistantMessage(
  message: Extract<WireMessage, { role: 'assistant' }>,
  content: ChatMessage['content'],
  path: string,
): ChatMessage {
  const toolCalls = message.tool_calls?.map(toToolCall) ?? olderCall(message.function_call);
  if (content === null && toolCalls === undefined) {
    throw invalidField(`${path}.content`, 'an assistant message needs content or tool_calls');
  }
  const reasoning = message.reasoning_content ?? message.reasoning;
  return {
    role: 'assistant',
    content,
    ...(message.name !== undefined && { name: message.name }),
    ...(toolCalls !== undefined && { tool_calls: toolCalls }),
    ...(reasoning !== undefined && { reasoning_content: reasoning }),
  };
}

/** From before there were tools; its answer comes as a message of role `function`. */
function olderCall(call: z.output<typeof calledFunction> | undefined): ToolCall[] | undefined {
  if (call === undefined) return undefined;
  return [{ id: call.name, type: 'function', function: { name: call.name, arguments: call.arguments } }];
}

function toToolCall(call: z.output<typeof toolCall>): ToolCall {
  return {
    id: call.id,
    type: 'function',
    function: { name: call.function.name, arguments: call.function.arguments },
  };
}

/** Text parts alone are one text; beside images they keep their places. */
function toContent(value: string | readonly Part[] | undefined, path: string): ChatMessage['content'] {
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  const parts = value.map((item, j) => toPart(item, `${path}.content[${j}]`));
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
  return texts.length === parts.length ? texts.join('') : parts;
}

function toPart(item: Part, path: string): ContentPart {
  switch (item.type) {
    case 'text':
      return { type: 'text', text: item.text };
    case 'refusal':
      return { type: 'text', text: item.refusal };
    case 'image_url':
    case 'input_image':
      return imagePart(item, path);
    case 'video_url':
    case 'video':
      return videoPart(item, path);
    default:
      throw unsupported(path, `parts of type ${item.type} are not read here`);
  }
}
