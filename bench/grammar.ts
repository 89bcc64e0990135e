/**
 * What it costs to hold an answer to a form: reading a schema, the mask of a new state, the mask of one that was
 * seen, and its use on the logits. `npx tsx bench/grammar.ts [vocabulary size …]`
 */

import { readFileSync } from 'node:fs';
import type { OutputFormat } from '../src/core/messages.js';
import { formatLanguage } from '../src/decoding/grammar/format-language.js';
import { GrammarConstraint } from '../src/decoding/grammar/grammar-constraint.js';
import { TokenAutomaton } from '../src/decoding/grammar/token-automaton.js';
import { Vocabulary } from '../src/decoding/grammar/vocabulary.js';
import { keepAllowed } from '../src/decoding/processors/allowed-tokens.js';
import { isAllowed } from '../src/decoding/token-constraint.js';
import { median } from './statistics.js';
import { formatNumber, formatTable } from './table.js';

const MAX_TOKENS = 300;

const person = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    mail: { type: 'string', format: 'email' },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5 },
    kind: { enum: ['friend', 'colleague', 'stranger'] },
  },
  required: ['name', 'age', 'mail', 'tags', 'kind'],
  additionalProperties: false,
};

const formats: Readonly<Record<string, OutputFormat>> = {
  'a person': { kind: 'json-schema', schema: person, field: 'schema' },
  'any JSON': { kind: 'json-schema', schema: {}, field: 'schema' },
  'a long string': { kind: 'json-schema', schema: { type: 'string', maxLength: 2000 }, field: 'schema' },
  'no such words': { kind: 'regex', pattern: '(?!.*(cat|dog))[a-z ]+\\.', field: 'regex' },
};

/** Pieces of the embedded model, and pairs of them until there are enough. */
function vocabularyOf(size: number, random: () => number): Vocabulary {
  const file = new URL('../models/nano/tokenizer.json', import.meta.url);
  const { model } = JSON.parse(readFileSync(file, 'utf8')) as { model: { vocab: Record<string, number> } };
  const pieces = Object.keys(model.vocab).map((piece) => piece.replaceAll('Ġ', ' '));
  const words = pieces.filter((piece) => /^ ?[a-zA-Z]{2,}$/.test(piece));
  const pick = () => words[Math.floor(random() * words.length)]!;
  while (pieces.length < size) pieces.push(pick() + pick().trimStart());
  const bytes = pieces.slice(0, size).map((piece) => Buffer.from(piece, 'utf8'));
  return new Vocabulary({ size, eosTokenIds: [1], bytes: (id) => bytes[id]! });
}

function timed<T>(work: () => T): [result: T, ms: number] {
  const startedAt = performance.now();
  return [work(), performance.now() - startedAt];
}

/** Draws allowed tokens at random; states that were seen cost microseconds. */
function measure(format: OutputFormat, vocabulary: Vocabulary, random: () => number) {
  const [language, readMs] = timed(() => formatLanguage(format));
  const automaton = new TokenAutomaton(language.pool, vocabulary, language.grammar, format.field);
  const constraint = new GrammarConstraint(automaton);
  const logits = new Float32Array(vocabulary.size);
  const masks: number[] = [];
  const uses: number[] = [];
  while (masks.length < MAX_TOKENS && !constraint.complete) {
    const [allowed, maskMs] = timed(() => constraint.allowed());
    masks.push(maskMs);
    uses.push(timed(() => keepAllowed(logits.fill(0), allowed))[1]);
    let id = Math.floor(random() * vocabulary.size);
    while (!isAllowed(allowed, id)) id = (id + 1) % vocabulary.size;
    if (vocabulary.eosTokenIds.includes(id)) break;
    constraint.accept(id);
  }
  const fresh = masks.filter((ms) => ms > 0.02);
  return {
    readMs,
    tokens: masks.length,
    newMasks: fresh.length,
    newMaskMs: fresh.length === 0 ? 0 : median(fresh),
    worstMaskMs: Math.max(...masks),
    meanMaskMs: masks.reduce((sum, ms) => sum + ms, 0) / masks.length,
    useMs: median(uses),
    expressions: language.pool.size,
  };
}

/** Numbers in [0, 1), the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

const header = ['form', 'read ms', 'tokens', 'new states', 'new mask ms', 'worst ms', 'mean ms', 'use ms'];

function cells(row: ReturnType<typeof measure> & { readonly name: string }): string[] {
  const times = [row.newMaskMs, row.worstMaskMs, row.meanMaskMs, row.useMs].map(formatNumber);
  return [row.name, formatNumber(row.readMs), String(row.tokens), String(row.newMasks), ...times];
}

const sizes = process.argv.slice(2).map(Number);
const results = (sizes.length > 0 ? sizes : [2048, 49_152, 128_256]).map((size) => {
  const random = seeded(7);
  const [vocabulary, vocabularyMs] = timed(() => vocabularyOf(size, random));
  console.log(
    `\n${size} tokens, prefix tree of ${vocabulary.nodes} nodes made in ${vocabularyMs.toFixed(0)} ms`,
  );
  const rows = Object.entries(formats).map(([name, format]) => ({
    name,
    ...measure(format, vocabulary, random),
  }));
  console.log(formatTable(header, rows.map(cells)));
  return { size, vocabularyMs, rows };
});
console.log(JSON.stringify({ bench: 'grammar', results }));
