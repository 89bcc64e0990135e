#!/usr/bin/env node
import { existsSync } from 'node:fs';

serveFromHugePages();

const entry = new URL('../dist/cli/run.js', import.meta.url);
if (!existsSync(entry)) {
  console.error('trimtab is not built yet: run `npm run build` first (`npm start` does it for you)');
  process.exit(1);
}
const { run } = await import(entry.href);
await run(process.argv.slice(2));

/**
 * Weights and cache in huge pages make decoding a tenth faster. The C library reads this setting once, when a program
 * starts, so the process replaces itself, where Node can do that (22.15 and newer). A setting of the user stays.
 */
function serveFromHugePages() {
  const applies = process.platform === 'linux' && process.argv[2] === 'serve' && process.execve;
  if (!applies || process.env.GLIBC_TUNABLES !== undefined) return;
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, command, { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
}
