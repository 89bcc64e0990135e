import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrimtabError } from '../../../src/core/errors.js';
import { StopStringMatcher } from '../../../src/decoding/stop-strings.js';

/** Feeds pieces until a match; the text that came out, with what is flushed at the end. */
function run(stops: string[], pieces: string[], include = false): { text: string; matched: string | null } {
  const matcher = new StopStringMatcher(stops, include);
  let text = '';
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    if (result.matched !== null) return { text, matched: result.matched };
  }
  return { text: text + matcher.flush(), matched: null };
}

/** The definition: the match that ends first, of those the longest, found by `indexOf` on the whole text. */
function expected(stops: string[], text: string, include = false): { text: string; matched: string | null } {
  const found = stops
    .map((stop) => ({ stop, end: text.indexOf(stop) + stop.length }))
    .filter(({ stop }) => text.includes(stop))
    .sort((a, b) => a.end - b.end || b.stop.length - a.stop.length)[0];
  if (found === undefined) return { text, matched: null };
  return { text: text.slice(0, include ? found.end : found.end - found.stop.length), matched: found.stop };
}

function cut(text: string, at: number[]): string[] {
  const chars = Array.from(text);
  const places = [0, ...at.map((place) => place % (chars.length + 1)).sort((a, b) => a - b), chars.length];
  return places.slice(1).map((end, index) => chars.slice(places[index], end).join(''));
}

describe('StopStringMatcher', () => {
  const alphabet = fc.constantFrom('a', 'b', '\n', '🚢', '🚣');
  const stops = fc.array(fc.string({ unit: alphabet, minLength: 1, maxLength: 4 }), { maxLength: 4 });
  const text = fc.string({ unit: alphabet, maxLength: 40 });

  it('finds over any split of the text what indexOf finds in the whole', () => {
    fc.assert(
      fc.property(
        stops,
        text,
        fc.array(fc.nat(), { maxLength: 12 }),
        fc.boolean(),
        (stops, text, at, include) => {
          expect(run(stops, cut(text, at), include)).toEqual(expected(stops, text, include));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('holds back exactly the longest end of the text that begins a stop string', () => {
    fc.assert(
      fc.property(stops, text, (stops, text) => {
        if (stops.some((stop) => text.includes(stop))) return;
        const matcher = new StopStringMatcher(stops, false);
        const held = text.length - matcher.push(text).text.length;
        const begins = (end: string) => stops.some((stop) => stop.startsWith(end));
        let longest = 0;
        for (let length = 1; length <= text.length; length++)
          if (begins(text.slice(-length))) longest = length;
        expect(held).toBe(longest);
        expect(matcher.flush().length).toBe(longest);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives text on at once when nothing can match any more', () => {
    const matcher = new StopStringMatcher(['\n\nUser:'], false);
    expect(matcher.push('Hello\n')).toEqual({ text: 'Hello', matched: null });
    expect(matcher.push('\nU')).toEqual({ text: '', matched: null });
    expect(matcher.push('p')).toEqual({ text: '\n\nUp', matched: null });
  });

  it('passes over a match while it may not stop, and finds one that begins there and ends later', () => {
    const matcher = new StopStringMatcher(['ab', 'bcd'], false);
    expect(matcher.push('xab', false)).toEqual({ text: 'xa', matched: null });
    expect(matcher.push('cde')).toEqual({ text: '', matched: 'bcd' });
  });

  it('refuses an empty stop string by name', () => {
    expect(() => new StopStringMatcher(['a', ''], false)).toThrow(TrimtabError);
  });

  it('handles ten thousand stop strings', () => {
    const many = Array.from({ length: 10_000 }, (_, at) => `stop-${at}-end`);
    expect(run(many, ['so it goes stop-98', '76-end and on'])).toEqual({
      text: 'so it goes ',
      matched: 'stop-9876-end',
    });
  });
});
