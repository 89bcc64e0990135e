/**
 * Prints which room of src/ imports which, and fails on an arrow that points the wrong way. The allowed arrows
 * are those of docs/architecture.md.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src', import.meta.url));

/** A room may import itself and these; files directly in src/ compose the rooms and may import all. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  decoding: ['core'],
  adapters: ['core'],
  'unlearning-filters': ['core'],
  hub: ['core'],
  engine: ['decoding', 'adapters', 'unlearning-filters', 'core'],
  server: ['core'],
  cli: ['core', 'engine', 'hub', '.'],
  '.': ['core', 'engine', 'server', 'hub', 'cli'],
};

/** Packages that only some files may import. */
const ownedPackages: Readonly<Record<string, (file: string) => boolean>> = {
  'onnxruntime-node': (file) => file === 'engine/runner/ort-session.ts',
  hono: (file) => file.startsWith('server/') || file === 'main.ts',
  '@hono/node-server': (file) => file.startsWith('server/') || file === 'main.ts',
};

const importPattern = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;

function roomOf(file: string): string {
  const [first, ...rest] = file.split('/');
  return rest.length === 0 ? '.' : first!;
}

function importsOf(file: string): string[] {
  return [...readFileSync(join(source, file), 'utf8').matchAll(importPattern)].map((match) => match[1]!);
}

function problemOf(file: string, specifier: string): string | undefined {
  const owner = ownedPackages[specifier];
  if (owner !== undefined) return owner(file) ? undefined : `${file} imports ${specifier}`;
  if (!specifier.startsWith('.')) return undefined;
  const target = relative(source, resolve(source, dirname(file), specifier));
  const [from, to] = [roomOf(file), roomOf(target)];
  if (target.startsWith('..'))
    return target === '../package.json' ? undefined : `${file} leaves src/ for ${target}`;
  arrows.set(`${from} → ${to}`, (arrows.get(`${from} → ${to}`) ?? 0) + 1);
  return from === to || allowed[from]?.includes(to)
    ? undefined
    : `${file} imports ${target}, but ${from} may not import ${to}`;
}

const arrows = new Map<string, number>();
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const problems = files.flatMap((file) =>
  importsOf(file).flatMap((specifier) => problemOf(file, specifier) ?? []),
);
for (const [arrow, count] of [...arrows].sort()) console.log(`${String(count).padStart(4)}  ${arrow}`);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
