/** The product's command line from its sources, so that a measurement needs no build. */
import { run } from '../src/cli/run.js';

await run(process.argv.slice(2));
