/** The command line: finds the command, and turns errors into one line and an exit code. */

import type { CommandDef } from 'citty';
import { defineCommand, runCommand, showUsage } from 'citty';
import { TrimtabError } from '../core/errors.js';
import { packageVersion } from '../package-version.js';
import { compileCommand } from './compile.js';
import { draftsCommand } from './drafts.js';
import { inspectCommand } from './inspect.js';
import { pullCommand } from './pull.js';
import { serveCommand } from './serve.js';

const subCommands = {
  serve: serveCommand,
  pull: pullCommand,
  compile: compileCommand,
  inspect: inspectCommand,
  drafts: draftsCommand,
};
type CommandName = keyof typeof subCommands;

const root = defineCommand({
  meta: {
    name: 'trimtab',
    version: packageVersion(),
    description: 'An OpenAI-compatible inference gateway with adaptive efficiency, in-process on the CPU',
  },
  subCommands,
});

export async function run(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv;
  try {
    if (argv.includes('--version') || name === '-v') console.log(packageVersion());
    else if (name === undefined || name === '--help' || name === '-h') await showUsage(root);
    else if (!isCommand(name)) throw usage(`${name} is not a command; the commands are ${commandNames()}`);
    else await runNamed(name, rest);
  } catch (error) {
    process.exitCode = 1;
    console.error(explain(error));
  }
}

async function runNamed(name: CommandName, rest: readonly string[]): Promise<void> {
  // Commands differ in the type of their arguments, which only they read.
  const command = subCommands[name] as unknown as CommandDef;
  if (command.subCommands === undefined) return runLeaf(name, command, rest, root);
  const [child, ...words] = rest;
  const children = command.subCommands as Readonly<Record<string, CommandDef>>;
  if (child === undefined || child === '--help' || child === '-h') return showUsage(command, root);
  if (!Object.hasOwn(children, child)) {
    throw usage(`${name} ${child} is not a command; the commands are ${Object.keys(children).join(', ')}`);
  }
  await runLeaf(`${name} ${child}`, children[child]!, words, command);
}

async function runLeaf(
  name: string,
  command: CommandDef,
  rest: readonly string[],
  parent: CommandDef,
): Promise<void> {
  if (rest.includes('--help') || rest.includes('-h')) return showUsage(command, parent);
  refuseUnknownFlags(name, rest, command.args as Readonly<Record<string, { type?: string }>>);
  await runCommand(command, { rawArgs: [...rest] });
}

/** The parser would ignore a mistyped flag, and the default would be served instead. */
function refuseUnknownFlags(
  name: string,
  rest: readonly string[],
  known: Readonly<Record<string, { type?: string }>>,
): void {
  for (const [i, word] of rest.entries()) {
    if (!word.startsWith('-') || word === '-') continue;
    const [flag, value] = word.replace(/^--?/, '').split(/=(.*)/s) as [string, string | undefined];
    const definition = known[flag];
    if (definition === undefined) throw usage(`${name} has no flag ${word}; see trimtab ${name} --help`);
    const next = rest[i + 1];
    const isMissing = value === undefined && (next === undefined || next.startsWith('--'));
    if (definition.type === 'string' && isMissing) throw usage(`--${flag} needs a value`);
  }
}

const isCommand = (name: string): name is CommandName => Object.hasOwn(subCommands, name);
const commandNames = (): string => Object.keys(subCommands).join(', ');
const usage = (problem: string): TrimtabError => new TrimtabError('invalid_config', problem);

function explain(error: unknown): string {
  if (error instanceof TrimtabError) return `trimtab: ${error.message}`;
  if (error instanceof Error && error.name === 'CLIError') return `trimtab: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
