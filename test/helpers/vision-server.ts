/** The vision checkpoints of the tests behind real HTTP, and the parts of messages that clients send. */

import { engineConfigSchema } from '../../src/engine/config.js';
import { EngineHost } from '../../src/engine/host/engine-host.js';
import type { FetcherWorld } from '../../src/server/images/image-fetcher.js';
import type { Reply } from '../contract/target.js';
import { suiteFolder } from './suite-folder.js';
import { startTestServer, type TestServer } from './test-server.js';
import { visionFixtureFolder } from './vision-fixture.js';

const cacheDir = suiteFolder();

export const imageLimits = {
  maxImages: 4,
  maxVideos: 2,
  maxFrames: 6,
  maxBytes: 200_000,
  maxPixels: 1_000_000,
  cacheBytes: 4_000_000,
};

export interface Answer {
  readonly status: number;
  readonly body: Reply;
}

export interface VisionServer {
  readonly host: EngineHost;
  readonly server: TestServer;
  post(path: string, body: object | string): Promise<Answer>;
  /** A greedy answer to one user message. */
  ask(model: string, content: unknown, more?: object): Promise<Answer>;
  close(): Promise<void>;
}

export async function startVisionServer(
  folders: Readonly<Record<string, string>>,
  { settings, outside }: { settings?: object; outside?: FetcherWorld } = {},
): Promise<VisionServer> {
  const models = Object.entries(folders).map(
    ([id, folder]) => ({ id, folder, weights: 'fp32', cacheDir, threads: 1, images: imageLimits }) as const,
  );
  const host = new EngineHost({ models, config: engineConfigSchema.parse({ images: imageLimits }) });
  await host.loaded();
  const server = await startTestServer(host, settings, outside);
  const post = async (path: string, body: object | string): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Reply };
  };
  const ask = (model: string, content: unknown, more: object = {}) =>
    post('/v1/chat/completions', {
      model,
      messages: [{ role: 'user', content }],
      max_tokens: 24,
      temperature: 0,
      ignore_eos: true,
      skip_special_tokens: false,
      ...more,
    });
  const close = async () => {
    await server.close();
    await host.close(0);
  };
  return { host, server, post, ask, close };
}

export const fixtureFolders = (names: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(names).map(([id, name]) => [id, visionFixtureFolder(name)]));

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
export const dataUrl = (bytes: Uint8Array, type = 'image/png'): string =>
  `data:${type};base64,${base64(bytes)}`;
export const picture = (bytes: Uint8Array) => ({ type: 'image_url', image_url: { url: dataUrl(bytes) } });
export const link = (url: string) => ({ type: 'image_url', image_url: { url } });
export const film = (url: string) => ({ type: 'video_url', video_url: { url } });
export const words = (text: string) => ({ type: 'text', text });
