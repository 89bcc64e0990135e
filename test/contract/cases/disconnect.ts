import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { chat, eventually, type GetTarget, metricValue, user } from '../target.js';

/** Sends a request over a bare socket; resolves when the server's first bytes match. */
async function open(
  target: GetTarget,
  body: string,
  until: RegExp | null,
  contentLength = Buffer.byteLength(body),
) {
  const { hostname, port } = new URL(target().url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {}); // the other side may reset it
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n' +
      `content-length: ${contentLength}\r\n\r\n${body}`,
  );
  if (until !== null) await received(socket, until);
  return socket;
}

function received(socket: Socket, pattern: RegExp): Promise<void> {
  let text = '';
  return new Promise((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (pattern.test(text)) resolve();
    });
  });
}

export function disconnectCases(target: GetTarget): void {
  const running = () => metricValue(target(), 'vllm:num_requests_running');
  const inFlight = () => metricValue(target(), 'trimtab_http_requests_in_flight');
  const generation = (extra: object) => {
    const body = { model: target().model, messages: user('go on'), ignore_eos: true, temperature: 0 };
    return JSON.stringify({ ...body, ...extra });
  };
  const endless = (stream: boolean, n = 1) => generation({ stream, n });
  /** Only the request that asks for the metrics is left. */
  const idle = () => eventually(async () => (await running()) === 0 && (await inFlight()) === 1);

  it('frees everything when the client leaves within the body', async () => {
    const socket = await open(target, '{"model":', null, 5000);
    await eventually(async () => (await inFlight()) === 2);
    socket.destroy();
    await idle();
  });

  it('frees everything when the client leaves before the answer', async () => {
    const socket = await open(target, endless(false), null);
    await eventually(async () => (await running()) > 0);
    socket.destroy();
    await idle();
  });

  it('frees everything when the client leaves in the middle of a stream', async () => {
    const socket = await open(target, endless(true, 2), /"content":"[^"]/);
    socket.destroy();
    await idle();
  });

  it('frees everything when the client closes its end in good order', async () => {
    const socket = await open(target, endless(true), /"content":"[^"]/);
    socket.end();
    await idle();
    socket.destroy();
  });

  it('counts a client that left as 499', async () => {
    const text = await (await fetch(`${target().url}/metrics`)).text();
    expect(text).toMatch(
      /trimtab_http_requests_total\{route="\/v1\/chat\/completions",method="POST",status="499"\} \d/,
    );
  });

  it('serves a reader who stops reading for a while in full', async () => {
    const socket = await open(target, generation({ stream: true, max_tokens: 200 }), /data: /);
    socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 200));
    const end = received(socket, /data: \[DONE\]/);
    socket.resume();
    await end;
    socket.destroy();
    await idle();
  });

  it('keeps the answers of those who stay exact while others leave', async () => {
    const body = { messages: user('stay with me'), max_tokens: 20 };
    const expected = await chat(target(), body);
    const leaving = Array.from({ length: 8 }, () => open(target, endless(true), /data: /));
    const staying = Array.from({ length: 4 }, () => chat(target(), body));
    for (const socket of await Promise.all(leaving)) socket.destroy();
    for (const reply of await Promise.all(staying)) {
      expect(reply.choices[0].message.content).toBe(expected.choices[0].message.content);
    }
    await idle();
  });
}
