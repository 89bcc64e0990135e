/**
 * Starts the server as a user would (`npm start`), asks one unstreamed and one streamed question with the OpenAI
 * client, and stops it with SIGTERM. Fails unless both answers agree and the server leaves by itself.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';

const startTimeoutMs = 300_000;
const cache = mkdtempSync(join(tmpdir(), 'trimtab-smoke-'));
const server = spawn('npm', ['start', '--', '--port', '0', '--cache-folder', cache], {
  stdio: ['ignore', 'ignore', 'pipe'],
  detached: true,
});

async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of output) {
    process.stderr.write(chunk as Buffer);
    text += String(chunk);
    const address = /at (http:\S+)/.exec(text)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error('the server ended before it listened');
}

const timer = setTimeout(() => process.kill(-server.pid!, 'SIGKILL'), startTimeoutMs);
try {
  const client = new OpenAI({ baseURL: await addressOf(server.stderr), apiKey: 'none' });
  const { data } = await client.models.list();
  const question = {
    model: data[0]!.id,
    messages: [{ role: 'user' as const, content: 'Hello! Who are you?' }],
    temperature: 0,
    max_completion_tokens: 48,
  };
  const whole = (await client.chat.completions.create(question)).choices[0]!.message.content;
  let streamed = '';
  for await (const chunk of await client.chat.completions.create({ ...question, stream: true })) {
    streamed += chunk.choices[0]?.delta.content ?? '';
  }
  console.log(`asked ${question.model}: ${whole}`);
  if (!whole || streamed !== whole)
    throw new Error(`streamed ${JSON.stringify(streamed)}, whole ${JSON.stringify(whole)}`);
} finally {
  const exited = once(server, 'exit');
  process.kill(-server.pid!, 'SIGTERM');
  await exited;
  clearTimeout(timer);
}
console.log('smoke test passed');
