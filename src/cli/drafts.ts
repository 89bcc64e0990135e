/** `trimtab drafts build`: counts texts once, so that drafting knows the language before the first request. */

import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineCommand } from 'citty';
import { loadConfig } from '../config.js';
import { TrimtabError } from '../core/errors.js';
import { buildCorpus } from '../engine/corpus/build-corpus.js';
import { fetchModel, withProgress } from '../make-ready.js';
import { defaultConfigFile, modelArguments } from './arguments.js';
import { formatBytes } from './progress-bar.js';

const MIB = 2 ** 20;
const defaultMaxMb = 64;
/** The largest file that a model takes. */
const mostMb = 1024;

const buildCommand = defineCommand({
  meta: {
    name: 'build',
    description:
      'Count what follows what in texts, for models[].drafts.corpus: plain text, or JSON lines (.jsonl)',
  },
  args: {
    model: {
      type: 'positional',
      description: 'Whose tokenizer: a configured model, a checkpoint folder, or a model on the hub',
      valueHint: 'id | folder | org/name[@revision]',
    },
    texts: { type: 'positional', description: 'Files to read, one or more', valueHint: 'file…' },
    out: { type: 'string', description: 'The file that is written', valueHint: 'file', required: true },
    'max-mb': {
      type: 'string',
      description: `Most MiB that the counts take, 1 to ${mostMb}; of more, those that come up again stay`,
      valueHint: String(defaultMaxMb),
    },
    config: modelArguments.config,
  },
  async run({ args }) {
    const [model, ...files] = args._ as [string, ...string[]];
    const maxBytes = parseMaxMb(args['max-mb']) * MIB;
    const sizes = files.map(sizeOf);
    refuseOut(args.out, files);
    const folder = await fetchModel(findModel(model, args.config));
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    let doneBytes = 0;
    const built = await withProgress(
      `counting ${files.length === 1 ? files[0] : `${files.length} files`}`,
      (update) =>
        buildCorpus({
          folder,
          files,
          out: args.out,
          maxBytes,
          onBytes: (bytes) => {
            doneBytes += bytes;
            update({ doneBytes, resumedBytes: 0, totalBytes });
          },
        }),
    );
    console.log(`${args.out}: ${formatBytes(built.bytes)} of counts from ${built.tokens} tokens`);
  },
});

export const draftsCommand = defineCommand({
  meta: { name: 'drafts', description: 'Prepare what draft verification starts from' },
  subCommands: { build: buildCommand },
});

/** A configured name wins over a folder of the same name. */
function findModel(model: string, configFile: string | undefined): { id: string; source: string } {
  const { models } = loadConfig(configFile ?? defaultConfigFile);
  return models.find(({ id }) => id === model) ?? { id: model, source: model };
}

function sizeOf(file: string): number {
  const facts = statSync(file, { throwIfNoEntry: false });
  if (facts?.isFile()) return facts.size;
  throw refused(`there is no file ${file}`);
}

function parseMaxMb(text = String(defaultMaxMb)): number {
  const megabytes = Number(text);
  if (/^\d+$/.test(text) && megabytes >= 1 && megabytes <= mostMb) return megabytes;
  throw refused(`--max-mb: expected a whole number from 1 to ${mostMb}, received ${text}`);
}

function refuseOut(out: string, files: readonly string[]): void {
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory()) throw refused(`--out: ${out} is a folder`);
  if (files.some((file) => resolve(file) === resolve(out)))
    throw refused(`--out: ${out} is one of the texts`);
}

const refused = (problem: string): TrimtabError => new TrimtabError('invalid_config', problem);
