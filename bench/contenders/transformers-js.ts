/** @huggingface/transformers with the 4-bit ONNX export, through its own `generate` loop. */

import {
  AutoModelForCausalLM,
  DynamicCache,
  env,
  type PreTrainedModel,
  StoppingCriteria,
  Tensor,
} from '@huggingface/transformers';
import { ensureOnnx } from '../onnx-export.js';
import type { ModelName } from '../shapes.js';
import { type Contender, threads } from './contender.js';

export class TransformersJs implements Contender {
  readonly #name: ModelName;
  #model: PreTrainedModel | undefined;
  #cache: Record<string, Tensor> = {};

  constructor(model: ModelName) {
    this.#name = model;
  }

  async load(): Promise<void> {
    env.allowRemoteModels = false;
    this.#model = await AutoModelForCausalLM.from_pretrained(await ensureOnnx(this.#name), {
      dtype: 'q4',
      device: 'cpu',
      local_files_only: true,
      use_external_data_format: true,
      session_options: { intraOpNumThreads: threads },
    });
  }

  async prefill(prompt: readonly number[]): Promise<void> {
    const cache = new DynamicCache();
    await this.#generate([prompt], 1, cache);
    this.#cache = { ...cache };
  }

  async decode(sequences: number, steps: number): Promise<number[]> {
    const tiled = Object.entries(this.#cache).map(([name, tensor]) => [name, tile(tensor, sequences)]);
    const nextTokens = Array.from({ length: sequences }, (_, index) => [index]);
    const clock = new StepClock();
    await this.#generate(nextTokens, steps + 1, new DynamicCache(Object.fromEntries(tiled)), clock);
    return clock.times.slice(1).map((time, index) => time - clock.times[index]!);
  }

  async close(): Promise<void> {
    await this.#model?.dispose();
  }

  async #generate(
    prompts: readonly (readonly number[])[],
    newTokens: number,
    cache: Record<string, Tensor>,
    clock?: StepClock,
  ): Promise<void> {
    const ids = BigInt64Array.from(prompts.flat().map(BigInt));
    await this.#model!.generate({
      inputs: new Tensor('int64', ids, [prompts.length, prompts[0]!.length]),
      max_new_tokens: newTokens,
      do_sample: false,
      eos_token_id: null,
      past_key_values: cache,
      ...(clock ? { stopping_criteria: clock } : {}),
    } as unknown as Parameters<PreTrainedModel['generate']>[0]);
  }
}

/** Notes when each step is done; never stops the generation. */
class StepClock extends StoppingCriteria {
  readonly times: number[] = [];

  override _call(inputIds: number[][]): boolean[] {
    this.times.push(performance.now());
    return inputIds.map(() => false);
  }
}

/** `[1, heads, tokens, width]` repeated along the first axis. */
function tile(tensor: Tensor, count: number): Tensor {
  const data = tensor.data as Float32Array;
  const tiled = new Float32Array(data.length * count);
  for (let index = 0; index < count; index++) tiled.set(data, index * data.length);
  return new Tensor('float32', tiled, [count, ...tensor.dims.slice(1)]);
}
