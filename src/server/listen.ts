/** Puts the application on a socket. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { TrimtabError } from '../core/errors.js';
import type { ServerConfig } from './config.js';
import type { ServerEnv } from './context.js';
import { errorBody } from './openai/error-body.js';

export interface Listener {
  readonly port: number;
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Takes no new connections, waits for replies under way at most so long, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** @throws {TrimtabError} invalid_config when the address cannot be listened on */
export async function listen(
  app: Hono<ServerEnv>,
  config: Pick<ServerConfig, 'host' | 'port' | 'bodyTimeoutMs'>,
): Promise<Listener> {
  const server = createServer(
    { headersTimeout: 20_000, requestTimeout: config.bodyTimeoutMs + 30_000 },
    getRequestListener(app.fetch, {
      errorHandler: (error) => Response.json(unreadable(error), { status: 400 }),
    }),
  );
  server.on('clientError', (error, socket) => answerUnreadable(error, socket));
  await bind(server, config);
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return { port, url: `http://${host}:${port}`, close: (graceMs) => closeServer(server, graceMs) };
}

function bind(server: Server, { host, port }: Pick<ServerConfig, 'host' | 'port'>): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `Cannot listen on ${host}:${port}: ${cause.message}`;
      reject(new TrimtabError('invalid_config', message, { param: 'server.port', cause }));
    });
    server.listen(port, host, resolve);
  });
}

function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
    // A connection that was busy at first stays open for the next request; nobody will take that one.
    const sweep = setInterval(() => server.closeIdleConnections(), 50);
    server.close(() => {
      clearTimeout(cutOff);
      clearInterval(sweep);
      resolve();
    });
  });
}

/** Bytes that are no HTTP request: answered in the usual shape, then hung up on. */
function answerUnreadable(error: Error, socket: Duplex): void {
  if (!socket.writable) return;
  const body = JSON.stringify(unreadable(error));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function unreadable(error: unknown) {
  const reason = error instanceof Error ? error.message : String(error);
  return errorBody(new TrimtabError('invalid_request', `The HTTP request cannot be read: ${reason}`));
}
