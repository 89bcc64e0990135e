/**
 * The configuration file: YAML, checked once against the settings of each room, frozen. Errors name the file, the
 * line and what was expected. Command-line flags are laid over it before the check.
 */

import { readFileSync, statSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { type EfficiencyOptions, efficiencySchema } from './core/efficiency.js';
import { TrimtabError } from './core/errors.js';
import { engineConfigSchema } from './engine/config.js';
import { corpusProblem } from './engine/corpus/corpus-path.js';
import { serverConfigSchema } from './server/config.js';

const maxConfigBytes = 1 << 20;

export const weightChoices = ['auto', 'int4', 'int8', 'fp32'] as const;
const optimizeChoices = ['latency', 'throughput'] as const;

const modelSchema = z.strictObject({
  /** The name that callers use; by default the last part of the source. */
  id: z
    .string()
    .regex(/^[\w][\w.\-/]{0,199}$/, 'expected letters, digits, ".", "-", "_" and "/"')
    .optional(),
  /** A folder (relative to the configuration file) or `org/name[@revision]` on the hub. */
  source: z.string().min(1).max(4096),
  weights: z.enum(weightChoices).default('auto'),
  /** What steps of int4 models are made for: latency (kernels), or many sequences of a large model (a graph). */
  optimizeFor: z.enum(optimizeChoices).default('latency'),
  /** Cores for one step of this model; by default all but none of them are kept back on one or two cores. */
  threads: z.int().min(1).max(256).optional(),
  /** For this model, over `engine.efficiency`. */
  efficiency: efficiencySchema.prefault({}),
  drafts: z
    .strictObject({
      /** A file that `trimtab drafts build` wrote (relative to the configuration file). */
      corpus: z.string().min(1).max(4096).optional(),
    })
    .prefault({}),
});

const configSchema = z.strictObject({
  server: serverConfigSchema.prefault({}),
  engine: engineConfigSchema.prefault({}),
  models: z.array(modelSchema).min(1).max(16),
  /** Where compiled models are kept. */
  cacheFolder: z.string().min(1).optional(),
  /** How long running requests may go on after a SIGTERM. */
  shutdownGraceSeconds: z.number().min(0).max(3600).default(30),
});

export interface ModelConfig {
  readonly id: string;
  readonly source: string;
  readonly weights: (typeof weightChoices)[number];
  readonly optimizeFor: (typeof optimizeChoices)[number];
  readonly threads: number;
  readonly efficiency: EfficiencyOptions;
  readonly draftCorpus: string | undefined;
}

export interface Config extends Readonly<Omit<z.output<typeof configSchema>, 'models' | 'cacheFolder'>> {
  readonly models: readonly ModelConfig[];
  readonly cacheFolder: string;
}

/** What the command line sets; undefined leaves the file's value. */
export interface ConfigOverrides {
  readonly model?: string | undefined;
  readonly weights?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly threads?: string | undefined;
  readonly cacheFolder?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** @throws {TrimtabError} invalid_config, naming file, line and field */
export function loadConfig(file: string, overrides: ConfigOverrides = {}): Config {
  const lines = new LineCounter();
  const document = parseDocument(readConfigFile(file), { lineCounter: lines, maxAliasCount: 100 } as never);
  const broken = document.errors[0];
  if (broken !== undefined)
    throw invalid(file, lines.linePos(broken.pos[0]).line, broken.message.split('\n')[0]!);
  const parsed = configSchema.safeParse(overlay(document.toJS() ?? {}, overrides));
  if (!parsed.success) throw describe(parsed.error.issues[0]!, file, document, lines);
  const config = finish(parsed.data, dirname(resolve(file)), overrides);
  for (const [i, { draftCorpus }] of config.models.entries()) {
    const message = draftCorpus && corpusProblem(draftCorpus);
    const path = ['models', i, 'drafts', 'corpus'];
    if (message) throw describe({ code: 'custom', path, message }, file, document, lines);
  }
  return config;
}

/** The folder for compiled models unless configured: the user's cache. */
export function defaultCacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trimtab');
}

function readConfigFile(file: string): string {
  const facts = statSync(file, { throwIfNoEntry: false });
  if (!facts?.isFile()) throw invalid(file, undefined, 'there is no such file');
  if (facts.size > maxConfigBytes) throw invalid(file, undefined, `is over ${maxConfigBytes} bytes`);
  return readFileSync(file, 'utf8');
}

function overlay(raw: unknown, flags: ConfigOverrides): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const file = raw as { server?: object; models?: unknown };
  const server = defined({ host: flags.host, port: asNumber(flags.port), logLevel: flags.logLevel });
  const perModel = defined({ weights: flags.weights, threads: asNumber(flags.threads) });
  const models = flags.model === undefined ? file.models : [{ source: flags.model }];
  return {
    ...file,
    ...defined({ cacheFolder: flags.cacheFolder }),
    server: { ...file.server, ...server },
    models: Array.isArray(models) ? models.map((model) => ({ ...(model as object), ...perModel })) : models,
  };
}

function finish(data: z.output<typeof configSchema>, folder: string, flags: ConfigOverrides): Config {
  // A flag is read from where the user stands, the file's own paths from where the file lies.
  const from = flags.model === undefined ? folder : process.cwd();
  const models = data.models.map(({ id, source, weights, optimizeFor, threads, efficiency, drafts }) => {
    const path = resolvePath(source, from);
    return Object.freeze({
      id: id ?? nameOf(source),
      source: statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : source,
      weights,
      optimizeFor,
      threads: threads ?? cpus().length,
      efficiency,
      draftCorpus: drafts.corpus === undefined ? undefined : resolvePath(drafts.corpus, folder),
    });
  });
  refuseDuplicates(models.map((model) => model.id));
  const cacheFolder =
    data.cacheFolder === undefined ? defaultCacheFolder() : resolvePath(data.cacheFolder, folder);
  return Object.freeze({ ...data, models: Object.freeze(models), cacheFolder });
}

function resolvePath(path: string, from: string): string {
  if (path.startsWith('~/')) return join(homedir(), path.slice(2));
  return isAbsolute(path) ? path : resolve(from, path);
}

/** `models/nano` is `nano`; `org/name@revision` keeps its organisation. */
function nameOf(source: string): string {
  const isHubId =
    /^[\w][\w.-]*\/[\w][\w.-]*(@.*)?$/.test(source) && !statSync(source, { throwIfNoEntry: false });
  const name = isHubId
    ? source.replace(/@.*$/, '')
    : source
        .replace(/[\\/]+$/, '')
        .split(/[\\/]/)
        .at(-1)!;
  return name.replace(/[^\w.\-/]/g, '-');
}

function refuseDuplicates(ids: readonly string[]): void {
  const twice = ids.find((id, i) => ids.indexOf(id) !== i);
  if (twice !== undefined) {
    throw new TrimtabError('invalid_config', `two models have the id ${twice}`, { param: 'models' });
  }
}

function asNumber(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
}

function defined(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function describe(
  issue: z.core.$ZodIssue,
  file: string,
  document: Document,
  lines: LineCounter,
): TrimtabError {
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
  const field = path.map(String).join('.');
  const message = issue.code === 'unrecognized_keys' ? 'is not a known setting' : issue.message;
  return invalid(file, lineOf(path, document, lines), `${field}: ${message}`, field);
}

/** The line of the setting, or of the closest thing around it that is in the file. */
function lineOf(path: readonly PropertyKey[], document: Document, lines: LineCounter): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function invalid(file: string, line: number | undefined, problem: string, param?: string): TrimtabError {
  const place = line === undefined ? file : `${file}:${line}`;
  return new TrimtabError('invalid_config', `${place}: ${problem}`, { param });
}
