/** Compiles a checkpoint in a process of its own, from source. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../../src/engine/prepare-model.ts', import.meta.url));

export interface Compilation {
  readonly folder: string;
  /** The most resident memory that the process ever had. */
  readonly peakBytes: number;
}

/** Its standard output is one line per written tensor, then the `Compilation`. */
export function startCompiling(folder: string, cacheDir: string): ChildProcess {
  const program = `
    const { prepareModel } = await import(${JSON.stringify(source)});
    const onProgress = ({ writtenBytes }) => process.stdout.write(writtenBytes + '\\n');
    const options = { ...${JSON.stringify({ folder, cacheDir, weights: 'int4' })}, onProgress };
    const { compiled, checkpoint } = prepareModel(options);
    checkpoint.close();
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    process.stdout.write(JSON.stringify({ folder: compiled.folder, peakBytes }));`;
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', program];
  return spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
}

export async function compilation(child: ChildProcess): Promise<Compilation> {
  const [output, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit')]);
  if (code !== 0) throw new Error(`the compiling process ended with ${code}`);
  return JSON.parse(output.slice(output.lastIndexOf('\n') + 1)) as Compilation;
}
