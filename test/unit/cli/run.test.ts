import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { run } from '../../../src/cli/run.js';

const nano = fileURLToPath(new URL('../../../models/nano', import.meta.url));
const checkpoint = fileURLToPath(new URL('../../fixtures/checkpoints/qwen2-tied', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'trimtab-cli-'));
const texts = join(folder, 'texts.txt');
writeFileSync(texts, 'one two three, one two four\n');
let output = '';
let errors = '';

beforeEach(() => {
  output = '';
  errors = '';
  const collect = (text: unknown) => {
    output += `${String(text)}\n`;
  };
  vi.spyOn(console, 'log').mockImplementation(collect);
  vi.spyOn(console, 'info').mockImplementation(collect);
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    collect(text);
    return true;
  });
  vi.spyOn(console, 'error').mockImplementation((text) => {
    errors += `${String(text)}\n`;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

async function trimtab(...argv: string[]) {
  await run(argv);
  return { output, errors, exitCode: Number(process.exitCode ?? 0) };
}

describe('trimtab', () => {
  it.each([
    ['--help', ['serve', 'pull', 'compile', 'inspect', 'drafts']],
    ['serve --help', ['--model', '--port', '--host', '--weights', '--config', 'OpenAI']],
    ['pull --help', ['org/name']],
    ['compile --help', ['--model', '--cache-folder']],
    ['inspect --help', ['--graph', '--openings']],
    ['drafts --help', ['build']],
    ['drafts build --help', ['model', '--out', '--max-mb']],
  ])('explains itself: %s', async (line, words) => {
    const { output, exitCode } = await trimtab(...line.split(' '));
    for (const word of words) expect(output).toContain(word);
    expect(exitCode).toBe(0);
  });

  it('tells its version', async () => {
    expect((await trimtab('--version')).output).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    ['fly', /fly is not a command; the commands are serve, pull, compile, inspect, drafts/],
    ['serve --prot 1', /serve has no flag --prot; see trimtab serve --help/],
    ['serve --port', /--port needs a value/],
    ['serve --port 99999', /server\.port: .*65535/],
    ['serve --port abc', /server\.port/],
    ['serve --weights int3', /weights: .*int4/],
    ['compile --model', /--model needs a value/],
    ['inspect --model /does/not/exist', /does\/not\/exist/],
    [
      `inspect --model ${checkpoint} --openings warp --cache-folder ${folder}`,
      /--openings: expected low-rank or hidden-states, received warp/,
    ],
    ['drafts fly', /drafts fly is not a command; the commands are build/],
    ['drafts build', /MODEL/],
    ['drafts build nano', /TEXTS/],
    [`drafts build nano ${texts}`, /--out/],
    [`drafts build nano ${texts} --out`, /--out needs a value/],
    ['drafts build nano /does/not/exist --out x', /there is no file \/does\/not\/exist/],
    [`drafts build nano ${folder} --out x`, /there is no file/],
    [`drafts build nano ${texts} --out ${folder}`, /--out: .* is a folder/],
    [`drafts build nano ${texts} --out ${texts}`, /--out: .* is one of the texts/],
    [`drafts build nano ${texts} --out x --max-mb 0`, /--max-mb: expected a whole number from 1 to 1024/],
    [`drafts build nano ${texts} --out x --max-mb 2e3`, /--max-mb: .*received 2e3/],
    [`drafts build nano ${texts} --out x --min-mb 2`, /drafts build has no flag --min-mb/],
    [`drafts build nowhere ${texts} --out x`, /nowhere: there is no such folder/],
    [`serve --config ${join(folder, 'none.yaml')}`, /none\.yaml: there is no such file/],
  ])('says what is wrong with "%s" in one line, and fails', async (line, message) => {
    const { errors, exitCode } = await trimtab(...line.split(' '));
    expect(errors).toMatch(/^trimtab: /);
    expect(errors).toMatch(message);
    expect(errors.trim().split('\n')).toHaveLength(1);
    expect(exitCode).toBe(1);
  });

  it('names file and line of a wrong setting', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, `server:\n  port: 8080\n  logLevel: loud\nmodels:\n  - source: ${checkpoint}\n`);
    const { errors, exitCode } = await trimtab('serve', '--config', file);
    expect(errors).toMatch(/wrong\.yaml:3: server\.logLevel: .*expected one of/);
    expect(exitCode).toBe(1);
  });

  it('describes a checkpoint, and prints its graph one node a line', async () => {
    const flags = ['--model', checkpoint, '--cache-folder', folder, '--weights', 'fp32'];
    const { output: description } = await trimtab('inspect', ...flags);
    expect(description).toMatch(/family +qwen2/);
    expect(description).toMatch(/vocabulary +1021, tied to the head/);
    output = '';
    const { output: graph } = await trimtab('inspect', '--graph', ...flags);
    expect(graph).toContain('MatMul');
    expect(graph.split('\n').length).toBeGreaterThan(50);
    output = '';
    const { output: opened } = await trimtab('inspect', '--graph', '--openings', 'low-rank', ...flags);
    expect(opened).not.toBe(graph);
  });

  it('builds a corpus for a configured model and for a folder alike', async () => {
    const [first, second] = ['first', 'second'].map((name) => join(folder, `${name}.corpus`)) as [
      string,
      string,
    ];
    const { output, exitCode } = await trimtab('drafts', 'build', 'nano', texts, texts, '--out', first);
    expect(output).toMatch(/first\.corpus: .*kB of counts from \d+ tokens/);
    expect(exitCode).toBe(0);
    await trimtab('drafts', 'build', nano, texts, texts, '--out', second, '--max-mb', '1');
    expect(readFileSync(second)).toEqual(readFileSync(first));
  });

  it('compiles once, and finds the result again', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'trimtab-cli-'));
    const flags = ['--model', checkpoint, '--cache-folder', cache, '--weights', 'int8'];
    const compiled = (await trimtab('compile', ...flags)).output.trim();
    const times = () => readdirSync(compiled).map((name) => [name, statSync(join(compiled, name)).mtimeMs]);
    const before = times();
    expect(before.length).toBeGreaterThan(0);
    output = '';
    expect((await trimtab('compile', ...flags)).output.trim()).toBe(compiled);
    expect(times()).toEqual(before);
  });
});
