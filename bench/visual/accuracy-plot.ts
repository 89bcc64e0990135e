/** Answers lost against operations saved as an SVG: a row of panels for each set, without pruning and with it. */

import type { Setting } from './measure.js';
import { type Reducer, reducers } from './reducers.js';

export interface PlottedResult extends Setting {
  /** 0–1 */
  readonly accuracy: number;
  readonly flops: number;
}

export interface PlottedSet {
  readonly name: string;
  /** The first one is that with all tokens. */
  readonly results: readonly PlottedResult[];
}

const panel = { width: 330, height: 190, left: 54, top: 44 } as const;
const gap = { across: 40, down: 48 } as const;
const width = panel.left + 2 * panel.width + gap.across + 20;
const colors: Readonly<Record<Reducer, string>> = {
  merged: '#c2410c',
  pooled: '#1d4ed8',
  'every n-th': '#6b7280',
  random: '#a3a3a3',
};
const dashes: Readonly<Record<Reducer, string>> = {
  merged: '',
  pooled: '',
  'every n-th': '6 3',
  random: '2 3',
};
const names: Readonly<Record<Reducer, string>> = {
  merged: 'merged by similarity',
  pooled: 'pooled by place',
  'every n-th': 'every n-th token',
  random: 'random tokens',
};

/** A result in a panel: how many times fewer operations, and points lost. */
interface Place {
  readonly fewer: number;
  readonly lost: number;
}

/** All panels have the same axes. */
interface Axes {
  readonly most: number;
  readonly low: number;
  readonly high: number;
}

export function accuracyPlot(sets: readonly PlottedSet[]): string {
  const places = sets.flatMap(({ results }) => results.map((result) => placeOf(result, results[0]!)));
  const axes = {
    most: Math.max(...places.map(({ fewer }) => fewer)) * 1.08,
    low: 5 * Math.floor(Math.min(0, ...places.map(({ lost }) => lost)) / 5),
    high: 5 * Math.ceil(Math.max(5, ...places.map(({ lost }) => lost)) / 5),
  };
  const bottom = panel.top + sets.length * (panel.height + gap.down) - gap.down;
  const height = bottom + 92;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#333">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...sets.map((set, row) => panels(set, row, axes)),
    legend(shownOf(sets.flatMap(({ results }) => results)), bottom + 70),
    '</svg>',
    '',
  ].join('\n');
}

/** Reducers that left something out. */
function shownOf(results: readonly PlottedResult[]): Reducer[] {
  return reducers.filter((name) => results.some(({ keep, reducer }) => keep < 1 && reducer === name));
}

function placeOf(result: PlottedResult, dense: PlottedResult): Place {
  return { fewer: dense.flops / result.flops, lost: 100 * (dense.accuracy - result.accuracy) };
}

function panels({ name, results }: PlottedSet, row: number, axes: Axes): string {
  const top = panel.top + row * (panel.height + gap.down);
  const all = (100 * results[0]!.accuracy).toFixed(0);
  return [false, true]
    .map((pruned, column) => {
      const left = panel.left + column * (panel.width + gap.across);
      const own = results.filter((result) => result.pruned === pruned);
      const at = (result: PlottedResult) => {
        const { fewer, lost } = placeOf(result, results[0]!);
        return { x: left + across(fewer, axes), y: top + down(lost, axes) };
      };
      const lines = shownOf(results).map((reducer) =>
        line(own.filter((result) => result.keep === 1 || result.reducer === reducer).map(at), reducer),
      );
      const title = pruned ? 'and pruned in the decoder' : `${name}, ${all} % with all tokens`;
      return [
        frame(left, top, title),
        levels(left, top, axes, column === 0),
        ticks(left, top, axes),
        ...lines,
      ].join('\n');
    })
    .join('\n');
}

const across = (fewer: number, { most }: Axes): number => (Math.log(fewer) / Math.log(most)) * panel.width;
const down = (lost: number, { low, high }: Axes): number => ((lost - low) / (high - low)) * panel.height;

function frame(left: number, top: number, title: string): string {
  const middle = left + panel.width / 2;
  return [
    `<rect x="${left}" y="${top}" width="${panel.width}" height="${panel.height}" fill="none" stroke="#999"/>`,
    `<text x="${middle}" y="${top - 8}" text-anchor="middle" font-weight="600">${title}</text>`,
  ].join('');
}

/** Nothing lost is a darker line. */
function levels(left: number, top: number, axes: Axes, isFirst: boolean): string {
  const step = axes.high - axes.low > 25 ? 10 : 5;
  const first = step * Math.ceil(axes.low / step);
  const count = Math.floor((axes.high - first) / step) + 1;
  const lines = Array.from({ length: count }, (_, i) => first + i * step).map((lost) => {
    const y = top + down(lost, axes);
    const label = isFirst ? `<text x="${left - 8}" y="${y + 4}" text-anchor="end">${-lost}</text>` : '';
    return `<path d="M${left} ${y}h${panel.width}" stroke="${lost === 0 ? '#999' : '#e5e5e5'}"/>${label}`;
  });
  const middle = top + panel.height / 2;
  const title = `<text x="14" y="${middle}" text-anchor="middle" transform="rotate(-90 14 ${middle})">points lost</text>`;
  return lines.join('') + (isFirst ? title : '');
}

function ticks(left: number, top: number, axes: Axes): string {
  const y = top + panel.height;
  return [1, 1.5, 2, 3, 4, 6, 8]
    .filter((value) => value <= axes.most)
    .map((value) => {
      const x = left + across(value, axes);
      return `<path d="M${x} ${y}v5" stroke="#999"/><text x="${x}" y="${y + 19}" text-anchor="middle">${value}×</text>`;
    })
    .join('');
}

function line(points: readonly { x: number; y: number }[], reducer: Reducer): string {
  const path = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
  const color = colors[reducer];
  const dots = points.map(
    ({ x, y }) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${color}"/>`,
  );
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2" stroke-dasharray="${dashes[reducer]}"/>${dots.join('')}`;
}

function legend(shown: readonly Reducer[], y: number): string {
  const middle = panel.left + panel.width + gap.across / 2;
  const items = shown.map((reducer, i) => {
    const x = panel.left + i * 175;
    const stroke = `stroke="${colors[reducer]}" stroke-width="2" stroke-dasharray="${dashes[reducer]}"`;
    return `<path d="M${x} ${y}h28" ${stroke}/><text x="${x + 36}" y="${y + 4}">${names[reducer]}</text>`;
  });
  const axis = `<text x="${middle}" y="${y - 28}" text-anchor="middle">times fewer operations of the prompt</text>`;
  return axis + items.join('');
}
