/** Structured logs. Prompts and keys are never logged on purpose; the redaction is for those who forget. */

import { type DestinationStream, type Logger, pino } from 'pino';
import type { ServerConfig } from './config.js';

const secretFields = ['authorization', 'x-api-key', 'apiKey', 'apiKeys', 'cookie'];
const promptFields = ['messages', 'prompt', 'content', 'text', 'input', 'completion'];

/** The same names at the top of a log object and one or two levels below it. */
const redactedPaths = [...secretFields, ...promptFields].flatMap((name) => {
  const key = `["${name}"]`;
  return [key, `*${key}`, `*.*${key}`];
});

export function createLogger(
  config: Pick<ServerConfig, 'logLevel'>,
  destination?: DestinationStream,
): Logger {
  const options = {
    name: 'trimtab',
    level: config.logLevel,
    redact: { paths: redactedPaths, censor: '[redacted]' },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
