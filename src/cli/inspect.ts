/** `trimtab inspect`: what a checkpoint is, the graph that it compiles to, and what it keeps of an image. */

import { defineCommand } from 'citty';
import { loadConfig } from '../config.js';
import { TrimtabError } from '../core/errors.js';
import type { CompiledEyes } from '../engine/compiler/compiled-eyes.js';
import { dump } from '../engine/graph/dump.js';
import type { Variant } from '../engine/graph/pipeline.js';
import { projectedTokens } from '../engine/models/vision-projector.js';
import type { PreparedModel } from '../engine/prepare-model.js';
import { parameterCount } from '../engine/prepare-model.js';
import { makeReady } from '../make-ready.js';
import { defaultConfigFile, modelArguments } from './arguments.js';
import { imageArguments, inspectImageCommand } from './inspect-image.js';
import { formatBytes } from './progress-bar.js';

export const inspectCommand = defineCommand({
  meta: {
    name: 'inspect',
    description: 'Print what a checkpoint is or its graph, or draw what is kept of an image',
  },
  args: {
    ...modelArguments,
    graph: { type: 'boolean', description: 'Print the compiled graph, one node a line' },
    openings: {
      type: 'string',
      description: 'Openings of the printed graph: low-rank, hidden-states, or both with a comma',
      valueHint: 'low-rank',
    },
    ...imageArguments,
  },
  async run({ args }) {
    const config = loadConfig(args.config ?? defaultConfigFile, {
      model: args.model,
      weights: args.weights,
      cacheFolder: args['cache-folder'],
    });
    if (args.image !== undefined) return inspectImageCommand(config, { ...args, image: args.image });
    for (const model of config.models) {
      const prepared = await makeReady(model, config.cacheFolder);
      const { compiled } = prepared;
      const openings = parseOpenings(args.openings, compiled.config.layers);
      process.stdout.write(args.graph ? dump(compiled.graph(openings)) : describe(model.id, prepared));
      prepared.checkpoint.close();
    }
  },
});

function parseOpenings(text: string | undefined, layers: number): Variant {
  const names = text === undefined ? [] : text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => name !== 'low-rank' && name !== 'hidden-states');
  if (unknown !== undefined) {
    const problem = `--openings: expected low-rank or hidden-states, received ${unknown}`;
    throw new TrimtabError('invalid_config', problem, { param: 'openings' });
  }
  return {
    lowRank: names.includes('low-rank'),
    hiddenStates: names.includes('hidden-states')
      ? Array.from({ length: layers + 1 }, (_, layer) => layer)
      : [],
  };
}

function describe(id: string, { compiled, eyes, checkpoint }: PreparedModel): string {
  const { config, precision, weightBytes, folder } = compiled;
  const { family, layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = config;
  const facts: [string, string | number][] = [
    ['model', id],
    ['family', family],
    ['parameters', `${(parameterCount(checkpoint, config) / 1e6).toFixed(1)} M`],
    ['layers', layers],
    ['width', `${hiddenSize}, ${intermediateSize} inside the MLP`],
    ['heads', `${heads} of ${headDim}, ${kvHeads} for keys and values`],
    ['vocabulary', `${vocabSize}${config.tieWordEmbeddings ? ', tied to the head' : ''}`],
    ['context', `${config.contextLength} tokens`],
    ['cache', `${formatBytes(8 * layers * kvHeads * headDim)} a token`],
    ['weights', `${precision.weights}, ${formatBytes(weightBytes)}`],
    ...(eyes === undefined ? [] : eyeFacts(eyes)),
    ['checkpoint', checkpoint.folder],
    ['compiled', folder],
  ];
  return `${facts.map(([name, value]) => `${name.padEnd(11)} ${value}`).join('\n')}\n`;
}

function eyeFacts({ config, precision, weightBytes }: CompiledEyes): [string, string][] {
  const { tower, featureLayers, family } = config;
  const { kind, hiddenSize, layers, imageSize, patchSize } = tower;
  const used = `${featureLayers} of ${layers} layers, ${hiddenSize} wide`;
  return [
    ['eyes', `${family}: ${kind} tower, ${used}, ${precision.weights}, ${formatBytes(weightBytes)}`],
    [
      'tile',
      `${imageSize} × ${imageSize} pixels in patches of ${patchSize}, ${projectedTokens(config)} tokens`,
    ],
  ];
}
