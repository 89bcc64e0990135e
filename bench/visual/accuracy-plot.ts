/** Accuracy against operations as an SVG, one panel without pruning and one with it. */

import { type Reducer, reducers } from './reducers.js';

export interface PlottedResult {
  readonly keep: number;
  readonly reducer: Reducer;
  readonly pruned: boolean;
  /** 0–1 */
  readonly accuracy: number;
  readonly flops: number;
}

const panel = { width: 330, height: 250, left: 54, top: 44 } as const;
const gap = 40;
const size = { width: panel.left + 2 * panel.width + gap + 20, height: panel.top + panel.height + 92 };
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

export function accuracyPlot(results: readonly PlottedResult[]): string {
  const dense = results.find(({ keep, pruned }) => keep === 1 && !pruned)!;
  const fewer = ({ flops }: PlottedResult) => dense.flops / flops;
  const most = Math.max(...results.map(fewer)) * 1.08;
  const [low, high] = range(results);
  const at = (result: PlottedResult, left: number) => ({
    x: left + (Math.log(fewer(result)) / Math.log(most)) * panel.width,
    y: panel.top + ((high - 100 * result.accuracy) / (high - low)) * panel.height,
  });
  const panels = [false, true].map((pruned, i) => {
    const left = panel.left + i * (panel.width + gap);
    const own = results.filter((result) => result.pruned === pruned);
    const lines = reducers.map((reducer) => {
      const members = own.filter(({ keep, reducer: of }) => keep === 1 || of === reducer);
      return line(
        members.map((result) => at(result, left)),
        reducer,
      );
    });
    return [
      frame(left, pruned ? 'merged, and pruned in the decoder' : 'merged before the decoder', i === 0),
      levels(left, low, high, i === 0),
      ticks(left, most),
      baseline(left, at(dense, left).y),
      ...lines,
    ].join('\n');
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.width} ${size.height}" font-family="system-ui, sans-serif" font-size="12" fill="#333">`,
    `<rect width="${size.width}" height="${size.height}" fill="#fff"/>`,
    ...panels,
    legend(),
    '</svg>',
    '',
  ].join('\n');
}

/** Percents at the bottom and top, multiples of five. */
function range(results: readonly PlottedResult[]): [low: number, high: number] {
  const percents = results.map(({ accuracy }) => 100 * accuracy);
  return [5 * Math.floor(Math.min(...percents) / 5), 5 * Math.ceil(Math.max(...percents) / 5)];
}

function frame(left: number, title: string, isFirst: boolean): string {
  const { top, width, height } = panel;
  const middle = left + width / 2;
  return [
    `<rect x="${left}" y="${top}" width="${width}" height="${height}" fill="none" stroke="#999"/>`,
    `<text x="${middle}" y="${top - 12}" text-anchor="middle" font-weight="600">${title}</text>`,
    `<text x="${middle}" y="${top + height + 38}" text-anchor="middle">times fewer operations of the prompt</text>`,
    isFirst
      ? `<text x="14" y="${top + height / 2}" text-anchor="middle" transform="rotate(-90 14 ${top + height / 2})">right answers, %</text>`
      : '',
  ].join('');
}

function levels(left: number, low: number, high: number, isFirst: boolean): string {
  const step = high - low > 25 ? 10 : 5;
  const all = Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => low + i * step);
  return all
    .map((level) => {
      const y = panel.top + ((high - level) / (high - low)) * panel.height;
      const label = isFirst ? `<text x="${left - 8}" y="${y + 4}" text-anchor="end">${level}</text>` : '';
      return `<path d="M${left} ${y}h${panel.width}" stroke="#e5e5e5"/>${label}`;
    })
    .join('');
}

function ticks(left: number, most: number): string {
  const y = panel.top + panel.height;
  return [1, 1.5, 2, 3, 4, 6, 8]
    .filter((value) => value <= most)
    .map((value) => {
      const x = left + (Math.log(value) / Math.log(most)) * panel.width;
      return `<path d="M${x} ${y}v5" stroke="#999"/><text x="${x}" y="${y + 19}" text-anchor="middle">${value}×</text>`;
    })
    .join('');
}

/** What the model answers with all tokens. */
function baseline(left: number, y: number): string {
  return `<path d="M${left} ${y}h${panel.width}" stroke="#333" stroke-dasharray="1 3"/>`;
}

function line(points: readonly { x: number; y: number }[], reducer: Reducer): string {
  const path = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
  const color = colors[reducer];
  const dots = points.map(
    ({ x, y }) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${color}"/>`,
  );
  return `<path d="${path}" fill="none" stroke="${color}" stroke-width="2" stroke-dasharray="${dashes[reducer]}"/>${dots.join('')}`;
}

function legend(): string {
  const y = panel.top + panel.height + 70;
  return reducers
    .map((reducer, i) => {
      const x = panel.left + i * 175;
      const stroke = `stroke="${colors[reducer]}" stroke-width="2" stroke-dasharray="${dashes[reducer]}"`;
      return `<path d="M${x} ${y}h28" ${stroke}/><text x="${x + 36}" y="${y + 4}">${names[reducer]}</text>`;
    })
    .join('');
}
