/** Flags that several commands share. */

import { fileURLToPath } from 'node:url';
import type { ArgsDef } from 'citty';

/** The configuration that ships with the package. */
export const defaultConfigFile = fileURLToPath(new URL('../../config/default.yaml', import.meta.url));

export const modelArguments = {
  model: {
    type: 'string',
    description: 'A checkpoint folder, or a model on the hub',
    valueHint: 'folder | org/name[@revision]',
  },
  weights: {
    type: 'string',
    description: 'Precision of the weights: int4, int8, fp32 or auto (fp32 for very small models, else int4)',
    valueHint: 'auto',
  },
  config: { type: 'string', description: 'Configuration file (YAML)', valueHint: 'file' },
  'cache-folder': { type: 'string', description: 'Where compiled models are kept', valueHint: 'folder' },
} as const satisfies ArgsDef;
