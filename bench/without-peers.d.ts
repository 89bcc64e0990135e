/**
 * As much of the peers as is used here, so that types can be checked where they are not installed. Where they are,
 * `tsconfig.json` of this folder checks against the peers themselves.
 */

declare module '@huggingface/transformers' {
  export const env: { allowRemoteModels: boolean };

  export class Tensor {
    constructor(type: 'int64' | 'float32', data: BigInt64Array | Float32Array, dims: number[]);
    readonly data: unknown;
    readonly dims: number[];
  }

  export class DynamicCache {
    constructor(entries?: Record<string, Tensor>);
    [name: string]: Tensor;
  }

  export abstract class StoppingCriteria {
    _call(inputIds: number[][], scores: number[][]): boolean[];
  }

  export interface PreTrainedModel {
    generate(parameters: Record<string, unknown>): Promise<unknown>;
    dispose(): Promise<unknown>;
  }

  export const AutoModelForCausalLM: {
    from_pretrained(folder: string, options: Record<string, unknown>): Promise<PreTrainedModel>;
  };
}

declare module 'llama-tokenizer-js' {
  const tokenizer: { encode(text: string, addBos: boolean, addSpace: boolean): number[] };
  export default tokenizer;
}

declare module 'node-llama-cpp' {
  export type Token = number & { readonly __token: never };
  export const LlamaLogLevel: { readonly error: 'error' };
  type Risk = { readonly acceptRisk: true };
  type Sampling = { readonly temperature: number; readonly yieldEogToken: boolean };

  export interface LlamaContextSequence {
    clearHistory(): Promise<void>;
    evaluate(tokens: Token[], options: Sampling): AsyncGenerator<Token, void>;
    saveStateToFile(path: string): Promise<unknown>;
    loadStateFromFile(path: string, options: Risk): Promise<unknown>;
  }

  interface LlamaContext {
    getSequence(): LlamaContextSequence;
  }

  interface LlamaModel {
    createContext(options: {
      sequences: number;
      contextSize: number;
      threads: number;
    }): Promise<LlamaContext>;
  }

  export interface Llama {
    loadModel(options: { modelPath: string }): Promise<LlamaModel>;
    dispose(): Promise<void>;
  }

  export function getLlama(options: {
    gpu: false;
    build: 'never';
    maxThreads: number;
    logLevel: 'error';
  }): Promise<Llama>;
}
