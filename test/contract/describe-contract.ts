/**
 * The contract of the HTTP surface as one suite for any listening server. Nothing in it depends on what the
 * model says, only on how it is said.
 */

import { afterAll, beforeAll, describe } from 'vitest';
import { aiSdkCases } from './cases/ai-sdk.js';
import { chatCases } from './cases/chat.js';
import { completionCases } from './cases/completions.js';
import { disconnectCases } from './cases/disconnect.js';
import { errorCases } from './cases/errors.js';
import { langchainCases } from './cases/langchain.js';
import { openaiSdkCases } from './cases/openai-sdk.js';
import { serviceCases } from './cases/service.js';
import { specDecodeMetricsCases } from './cases/spec-decode-metrics.js';
import { structuredOutputCases } from './cases/structured-output.js';
import type { ContractTarget } from './target.js';

export interface RunningTarget extends ContractTarget {
  close(): Promise<void>;
}

export function describeContract(name: string, start: () => Promise<RunningTarget>): void {
  describe(`the HTTP contract of ${name}`, () => {
    let target: RunningTarget;
    beforeAll(async () => {
      target = await start();
    });
    afterAll(() => target?.close());
    const get = () => target;
    describe('chat completions', () => chatCases(get));
    describe('structured outputs', () => structuredOutputCases(get));
    describe('text completions', () => completionCases(get));
    describe('metrics of drafts in replies', () => specDecodeMetricsCases(get));
    describe('errors', () => errorCases(get));
    describe('models, tokens, health and metrics', () => serviceCases(get));
    describe('the openai package', () => openaiSdkCases(get));
    describe('the ai package', () => aiSdkCases(get));
    describe('the @langchain/openai package', () => langchainCases(get));
    describe('clients that go away', () => disconnectCases(get));
  });
}
