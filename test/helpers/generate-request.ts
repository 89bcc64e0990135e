import type {
  ContentPart,
  GenerateRequest,
  Prompt,
  SamplingParams,
  StopParams,
} from '../../src/core/messages.js';

export type RequestOverrides = Partial<Omit<GenerateRequest, 'sampling' | 'stop' | 'prompt'>> & {
  readonly prompt?: Prompt | string;
  readonly sampling?: Partial<SamplingParams>;
  readonly stop?: Partial<StopParams>;
};

/** A greedy request for 16 tokens, unless the overrides say otherwise. */
export function generateRequest(overrides: RequestOverrides = {}): GenerateRequest {
  const { prompt = 'hello', sampling, stop, ...rest } = overrides;
  return {
    id: 'test',
    model: 'fake',
    prompt: typeof prompt === 'string' ? { kind: 'text', text: prompt } : prompt,
    n: 1,
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      repetitionPenalty: 1,
      logitBias: [],
      seed: undefined,
      ...sampling,
    },
    stop: {
      strings: [],
      tokenIds: [],
      ignoreEos: false,
      maxTokens: 16,
      minTokens: 0,
      includeStopString: false,
      ...stop,
    },
    outputFormat: undefined,
    tools: undefined,
    topLogprobs: undefined,
    echo: false,
    skipSpecialTokens: true,
    priority: 0,
    cachePrompt: true,
    cacheSalt: undefined,
    efficiency: {},
    ...rest,
  };
}

/** One turn of a user. */
export function userPrompt(...parts: readonly (string | ContentPart)[]): Prompt {
  const content = parts.map((part) =>
    typeof part === 'string' ? ({ type: 'text', text: part } as const) : part,
  );
  return {
    kind: 'chat',
    messages: [{ role: 'user', content }],
    addGenerationPrompt: true,
    continueFinalMessage: false,
  };
}
