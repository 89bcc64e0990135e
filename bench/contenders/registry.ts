/** The contenders by name; each is imported only in the process that measures it. */

import type { ModelName } from '../shapes.js';
import type { Contender } from './contender.js';

export const contenders = {
  'trimtab int4': async (model: ModelName): Promise<Contender> =>
    new (await import('./trimtab.js')).Trimtab(model, 'int4'),
  'trimtab int4 throughput': async (model: ModelName): Promise<Contender> =>
    new (await import('./trimtab.js')).Trimtab(model, 'int4', 'throughput'),
  'trimtab int8': async (model: ModelName): Promise<Contender> =>
    new (await import('./trimtab.js')).Trimtab(model, 'int8'),
  'trimtab int4 HTTP': async (model: ModelName): Promise<Contender> =>
    new (await import('./trimtab-http.js')).TrimtabHttp(model),
  'node-llama-cpp Q4_0': async (model: ModelName): Promise<Contender> =>
    new (await import('./node-llama-cpp.js')).NodeLlamaCpp(model, 'q4_0'),
  'node-llama-cpp Q8_0': async (model: ModelName): Promise<Contender> =>
    new (await import('./node-llama-cpp.js')).NodeLlamaCpp(model, 'q8_0'),
  'transformers.js q4': async (model: ModelName): Promise<Contender> =>
    new (await import('./transformers-js.js')).TransformersJs(model),
} as const;

export type ContenderName = keyof typeof contenders;
export const contenderNames = Object.keys(contenders) as ContenderName[];
