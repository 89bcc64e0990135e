/**
 * Cuts normalised text into the pieces inside which BPE may merge, exactly as the reference (the Rust crate
 * `tokenizers`). The JavaScript package differs from it where it matters here: `\s` and `\d` of JavaScript are
 * not those of Unicode, `Split` knows two of five behaviours, `Metaspace` never splits.
 */

import { z } from 'zod';
import { toByteLetters } from './byte-alphabet.js';
import { escapeRegExp } from './escape-regexp.js';
import { damaged, type Stage, stageSchema, unsupported } from './tokenizer-files.js';
import { translatePattern } from './tokenizers-package.js';

/** `atStart`: the piece begins the text, with no special token before it. */
export type PreTokenizer = (pieces: readonly string[], atStart: boolean) => string[];

/** The pattern of GPT-2, with `\s` spelled out as Unicode's white space. */
const GPT2_PATTERN =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

const byteLevelSchema = z.object({
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
});
const digitsSchema = z.object({ individual_digits: z.boolean().default(false) });
const sequenceSchema = z.object({ pretokenizers: z.array(stageSchema) });
const metaspaceSchema = z.object({
  replacement: z.string().default('▁'),
  prepend_scheme: z.enum(['always', 'first', 'never']).default('always'),
  split: z.boolean().default(true),
});
const splitSchema = z.object({
  pattern: z.union([z.object({ Regex: z.string() }), z.object({ String: z.string() })]),
  behavior: z.enum(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']),
  invert: z.boolean().default(false),
});
type Behavior = z.infer<typeof splitSchema>['behavior'];

export function makePreTokenizer(stage: Stage | null | undefined): PreTokenizer {
  if (!stage) return (pieces) => [...pieces];
  const make = makers[stage.type];
  if (make === undefined) throw unsupported('pre-tokenizer', stage.type, Object.keys(makers).join(', '));
  return make(stage);
}

const makers: Readonly<Record<string, (stage: Stage) => PreTokenizer>> = {
  Sequence: (stage) => {
    const parts = parse(sequenceSchema, stage).pretokenizers.map(makePreTokenizer);
    return (pieces, atStart) =>
      parts.reduce<string[]>((current, part) => part(current, atStart), [...pieces]);
  },
  ByteLevel: (stage) => {
    const { add_prefix_space, use_regex } = parse(byteLevelSchema, stage);
    return perPiece((piece) => {
      const text = add_prefix_space && !piece.startsWith(' ') ? ` ${piece}` : piece;
      return (use_regex ? splitBy(text, GPT2_PATTERN, 'Isolated', false) : [text]).map(toByteLetters);
    });
  },
  Digits: (stage) => {
    const pattern = parse(digitsSchema, stage).individual_digits ? /\p{N}/gu : /\p{N}+/gu;
    return perPiece((piece) => splitBy(piece, pattern, 'Isolated', false));
  },
  Split: (stage) => {
    const { pattern, behavior, invert } = parse(splitSchema, stage);
    const regex =
      'Regex' in pattern ? translatePattern(pattern.Regex) : new RegExp(escapeRegExp(pattern.String), 'gu');
    return perPiece((piece) => splitBy(piece, regex, behavior, invert));
  },
  Metaspace: (stage) => {
    const { replacement, prepend_scheme, split } = parse(metaspaceSchema, stage);
    const mark = new RegExp(escapeRegExp(replacement), 'gu');
    return perPiece((piece, first) => {
      const marked = piece.replaceAll(' ', replacement);
      const prepend = prepend_scheme === 'always' || (prepend_scheme === 'first' && first);
      const text = prepend && !marked.startsWith(replacement) ? replacement + marked : marked;
      return split ? splitBy(text, mark, 'MergedWithNext', false) : [text];
    });
  },
};

function perPiece(cut: (piece: string, atStart: boolean) => string[]): PreTokenizer {
  return (pieces, atStart) => pieces.flatMap((piece, index) => cut(piece, atStart && index === 0));
}

function parse<T>(schema: z.ZodType<T>, stage: Stage): T {
  const parsed = schema.safeParse(stage);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw damaged('tokenizer.json', `pre_tokenizer ${stage.type}, ${issue.path.join('.')}: ${issue.message}`);
}

/** The five ways of the reference to treat what a pattern matches (`SplitDelimiterBehavior`). */
function splitBy(text: string, pattern: RegExp, behavior: Behavior, invert: boolean): string[] {
  const spans = alternate(text, pattern, invert);
  if (behavior === 'Isolated') return spans.map((span) => span.text);
  if (behavior === 'Removed') return spans.filter((span) => !span.match).map((span) => span.text);
  const pieces: string[] = [];
  spans.forEach((span, at) => {
    const before = spans[at - 1];
    if (before !== undefined && joins(before.match, span.match, behavior))
      pieces[pieces.length - 1] += span.text;
    else pieces.push(span.text);
  });
  return pieces;
}

/** Whether a span goes on with the piece of the span before it. */
function joins(matchBefore: boolean, match: boolean, behavior: Behavior): boolean {
  if (behavior === 'Contiguous') return matchBefore === match;
  if (behavior === 'MergedWithPrevious') return match && !matchBefore;
  return matchBefore && !match;
}

interface Span {
  readonly text: string;
  readonly match: boolean;
}

/** The whole text as spans that are matches (`invert`: are between matches) and those that are not. */
function alternate(text: string, pattern: RegExp, invert: boolean): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (const found of text.matchAll(pattern)) {
    if (found[0].length === 0) continue;
    if (found.index > end) spans.push({ text: text.slice(end, found.index), match: invert });
    spans.push({ text: found[0], match: !invert });
    end = found.index + found[0].length;
  }
  if (end < text.length) spans.push({ text: text.slice(end), match: invert });
  return spans;
}
