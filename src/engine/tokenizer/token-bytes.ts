/**
 * What each token adds to a text, in bytes. The decoder stages of `tokenizer.json` are run once per token, so
 * that decoding is concatenation, plus one rule for the start of the text.
 */

import { z } from 'zod';
import { fromByteLetters } from './byte-alphabet.js';
import { damaged, type Stage, stageSchema, unsupported } from './tokenizer-files.js';

export interface TokenDecoder {
  /** `first`: nothing stands before this token. */
  bytes(piece: string, first: boolean): Uint8Array;
  /** Spaces to take off the start of the whole text. */
  readonly leadingSpaces: number;
}

/** Either characters that later stages may still change, or bytes, which are final. */
type Value = string | Uint8Array;
type Step = (value: Value, first: boolean) => Value;

interface Plan {
  readonly steps: Step[];
  leadingSpaces: number;
  /** After Fuse a stage sees the whole text and no longer single tokens. */
  fused: boolean;
}

const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;

const sequenceSchema = z.object({ decoders: z.array(stageSchema) });
const replaceSchema = z.object({ pattern: z.object({ String: z.string().min(1) }), content: z.string() });
const stripSchema = z.object({
  content: z.string(),
  start: z.number().int().min(0),
  stop: z.number().int().min(0),
});
const metaspaceSchema = z.object({
  replacement: z.string().default('▁'),
  prepend_scheme: z.enum(['always', 'first', 'never']).default('always'),
});

export function makeTokenDecoder(stage: Stage | null | undefined): TokenDecoder {
  const plan: Plan = { steps: [], leadingSpaces: 0, fused: false };
  if (stage) addStage(plan, stage);
  return {
    leadingSpaces: plan.leadingSpaces,
    bytes(piece, first) {
      const value = plan.steps.reduce<Value>((current, step) => step(current, first), piece);
      return typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    },
  };
}

function addStage(plan: Plan, stage: Stage): void {
  switch (stage.type) {
    case 'Sequence':
      for (const part of parse(sequenceSchema, stage).decoders) addStage(plan, part);
      break;
    case 'ByteLevel':
      plan.steps.push(onText(fromByteLetters));
      break;
    case 'ByteFallback':
      plan.steps.push(onText((text) => byteToken(text) ?? text));
      break;
    case 'Fuse':
      plan.fused = true;
      break;
    case 'Replace': {
      const { pattern, content } = parse(replaceSchema, stage);
      plan.steps.push(onText((text) => text.replaceAll(pattern.String, content)));
      break;
    }
    case 'Metaspace': {
      const { replacement, prepend_scheme } = parse(metaspaceSchema, stage);
      const dropsFirst = prepend_scheme !== 'never';
      plan.steps.push(onText((text, first) => text.replaceAll(replacement, first && dropsFirst ? '' : ' ')));
      break;
    }
    case 'Strip':
      addStrip(plan, parse(stripSchema, stage));
      break;
    default:
      throw unsupported(
        'decoder',
        stage.type,
        'Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip',
      );
  }
}

/** On single tokens any character and both ends; on the whole text only leading spaces. */
function addStrip(plan: Plan, { content, start, stop }: z.infer<typeof stripSchema>): void {
  if (!plan.fused) {
    plan.steps.push(onText((text) => stripEnds(text, content, start, stop)));
  } else if (content === ' ' && stop === 0) {
    plan.leadingSpaces += start;
  } else
    throw unsupported(
      'decoder',
      `Strip ${JSON.stringify({ content, start, stop })} after Fuse`,
      'leading spaces',
    );
}

function onText(step: (text: string, first: boolean) => Value): Step {
  return (value, first) => (typeof value === 'string' ? step(value, first) : value);
}

function byteToken(piece: string): Uint8Array | undefined {
  const hex = BYTE_TOKEN.exec(piece)?.[1];
  return hex === undefined ? undefined : Uint8Array.of(Number.parseInt(hex, 16));
}

function stripEnds(text: string, content: string, start: number, stop: number): string {
  let from = 0;
  let to = text.length;
  while (from < start && text[from] === content) from++;
  while (text.length - to < stop && to > from && text[to - 1] === content) to--;
  return text.slice(from, to);
}

function parse<T>(schema: z.ZodType<T>, stage: Stage): T {
  const parsed = schema.safeParse(stage);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw damaged('tokenizer.json', `decoder ${stage.type}, ${issue.path.join('.')}: ${issue.message}`);
}
