/** `trimtab inspect --image`: draws which patches of an image were merged, and when each left the decoder. */

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { ArgsDef } from 'citty';
import type { Config } from '../config.js';
import { efficiencyPlan, efficiencySchema } from '../core/efficiency.js';
import { TrimtabError } from '../core/errors.js';
import { inspectImage } from '../engine/inspect-image.js';
import { closeModel } from '../engine/loaded-model.js';
import { loadModel } from '../engine/model-loader.js';
import { makeReady } from '../make-ready.js';

export const imageArguments = {
  image: { type: 'string', description: 'Draw what is kept of this image', valueHint: 'file' },
  question: { type: 'string', description: 'The text behind the image', valueHint: 'What is this?' },
  keep: { type: 'string', description: 'Share of the visual tokens that merging leaves', valueHint: '0.25' },
  start: { type: 'string', description: 'Depth at which pruning starts; 1 for no pruning', valueHint: '0.5' },
  end: { type: 'string', description: 'Depth at which no visual token is left', valueHint: '0.786' },
  out: { type: 'string', description: 'The picture that is written', valueHint: 'tokens.png' },
} as const satisfies ArgsDef;

interface ImageFlags {
  readonly image: string;
  readonly question?: string | undefined;
  readonly keep?: string | undefined;
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly out?: string | undefined;
}

/** For the first model of the configuration. */
export async function inspectImageCommand({ models, cacheFolder }: Config, flags: ImageFlags): Promise<void> {
  const [model] = models;
  const bytes = readImage(flags.image);
  const plan = planOf(flags);
  const { checkpoint } = await makeReady(model!, cacheFolder);
  checkpoint.close();
  const loaded = await loadModel({ ...model!, folder: checkpoint.folder, cacheDir: cacheFolder });
  try {
    const part = { type: 'image', bytes, detail: 'auto', param: '--image' } as const;
    const result = await inspectImage(loaded, part, flags.question ?? 'What is this?', plan);
    const out = flags.out ?? 'tokens.png';
    writeFileSync(out, result.png);
    const { encoded, merged, perLayer } = result;
    process.stdout.write(
      `visual tokens  ${encoded}, merged to ${merged}\nper layer      ${perLayer.join(' ')}\npicture        ${out}\n`,
    );
  } finally {
    await closeModel(loaded);
  }
}

function readImage(file: string): Uint8Array {
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return new Uint8Array(readFileSync(file));
  throw new TrimtabError('invalid_config', `--image: there is no file ${file}`, { param: 'image' });
}

function planOf({ keep = '0.25', start = '0.5', end = '0.786' }: ImageFlags) {
  for (const [flag, text] of Object.entries({ keep, start, end })) {
    if (!Number.isFinite(Number(text)) || text.trim() === '') {
      throw new TrimtabError('invalid_config', `--${flag}: expected a number, received ${text}`);
    }
  }
  const parsed = efficiencySchema.safeParse({
    token_merging: { keep: Number(keep) },
    token_pruning: Number(start) === 1 ? false : { start: Number(start), end: Number(end) },
  });
  if (parsed.success) return efficiencyPlan(parsed.data);
  const { path, message } = parsed.error.issues[0]!;
  throw new TrimtabError('invalid_config', `--${String(path.at(-1))}: ${message}`);
}
