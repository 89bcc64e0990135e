/** Entry of the thread of one model: loads it, then passes messages between the host and the engine. */

import { parentPort, workerData } from 'node:worker_threads';
import { serializeError } from '../../core/errors.js';
import type { LoadModel } from '../loaded-model.js';
import { Engine } from './engine.js';
import type { Call, FromWorker, ToWorker, WorkerSetup } from './protocol.js';

const port = parentPort!;
const setup = workerData as WorkerSetup;
const send = (message: FromWorker) => port.postMessage(message);

async function load(): Promise<Engine> {
  const { loadModel } = (await import(setup.loader)) as { loadModel: LoadModel };
  const model = await loadModel(setup.model);
  const efficiency = { ...setup.config.efficiency, ...setup.model.efficiency };
  const engine = new Engine(model, { ...setup.config, efficiency }, setup.bytes, {
    outputs: (outputs) => send({ type: 'outputs', outputs }),
    stats: (stats) => send({ type: 'stats', stats }),
    // Uncaught on purpose: the thread ends, the host fails what was running and starts another.
    broken: (error) =>
      process.nextTick(() => {
        throw error;
      }),
  });
  send({
    type: 'ready',
    facts: { ...model.info, maxModelLength: engine.maxModelLength },
    stats: engine.stats(),
  });
  return engine;
}

async function answer(engine: Engine, call: number, question: Call): Promise<void> {
  try {
    const result =
      question.method === 'tokenize'
        ? await engine.tokenize(question.prompt, question.options)
        : engine.detokenize(question.ids);
    send({ type: 'answer', call, result });
  } catch (error) {
    send({ type: 'call-failed', call, error: serializeError(error) });
  }
}

async function handle(engine: Engine, message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'submit':
      engine.submit(message.key, message.request);
      break;
    case 'cancel':
      engine.cancel(message.key);
      break;
    case 'call':
      await answer(engine, message.call, message.question);
      break;
    case 'close':
      await engine.close();
      port.close();
      break;
  }
}

try {
  const engine = await load();
  port.on('message', (message: ToWorker) => handle(engine, message));
} catch (error) {
  send({ type: 'load-failed', error: serializeError(error) });
}
