import { afterAll, beforeAll, describe } from 'vitest';
import { plainFormat } from '../../src/engine/answer/answer-format.js';
import { hermes } from '../../src/engine/answer/formats/hermes.js';
import { EchoBackend } from '../helpers/echo-backend.js';
import { startTestServer } from '../helpers/test-server.js';
import { thoughtCases, toolCases } from './cases/tools.js';
import { describeContract, type RunningTarget } from './describe-contract.js';

describeContract('a backend in memory', async () => {
  const server = await startTestServer(new EchoBackend({ models: ['org/echo'], stepMs: 1 }));
  return { url: server.url, model: 'org/echo', close: server.close };
});

const withTools = { ...plainFormat, tools: hermes, takesTools: true };

describe.each([
  ['calls tools', withTools, toolCases],
  ['thinks and calls tools', { ...withTools, reasons: true }, thoughtCases],
])('a model in memory that %s', (_, answerFormat, cases) => {
  let target: RunningTarget;
  beforeAll(async () => {
    const server = await startTestServer(new EchoBackend({ models: ['org/echo'], answerFormat }));
    target = { url: server.url, model: 'org/echo', close: server.close };
  });
  afterAll(() => target.close());
  cases(() => target);
});

// Any server can be checked: CONTRACT_URL=http://127.0.0.1:8080 CONTRACT_MODEL=nano npx vitest run test/contract
const { CONTRACT_URL: url, CONTRACT_MODEL: model } = process.env;
if (url !== undefined && model !== undefined) {
  describeContract(url, async () => ({ url, model, close: async () => {} }));
}
