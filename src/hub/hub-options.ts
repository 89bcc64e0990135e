/** Where the hub is, who asks, and where downloads are kept: the environment variables of huggingface_hub. */

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { EnvHttpProxyAgent, getGlobalDispatcher } from 'undici';
import { TrimtabError } from '../core/errors.js';

export interface HubOptions {
  /** Without a trailing slash. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Holds `models--<org>--<name>/{blobs,refs,snapshots}`. */
  readonly cacheFolder: string;
  /** Never touch the network. */
  readonly offline: boolean;
  /** First pause before a retry; doubles with each further one. */
  readonly retryDelayMs: number;
  /** Connections, through a proxy where the environment names one. */
  readonly dispatcher: Dispatcher;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, and the usual proxy variables. */
export function readHubOptions(env: Environment): HubOptions {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint: parseEndpoint(env.HF_ENDPOINT || 'https://huggingface.co'),
    token: env.HF_TOKEN?.trim() || readTokenFile(env.HF_TOKEN_PATH || join(home, 'token')),
    cacheFolder: env.HF_HUB_CACHE || join(home, 'hub'),
    offline: /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? ''),
    retryDelayMs: 500,
    dispatcher: dispatcherFor(env),
  };
}

function dispatcherFor(env: Environment): Dispatcher {
  const httpProxy = env.http_proxy || env.HTTP_PROXY;
  const httpsProxy = env.https_proxy || env.HTTPS_PROXY;
  if (!httpProxy && !httpsProxy) return getGlobalDispatcher();
  const noProxy = env.no_proxy || env.NO_PROXY;
  return new EnvHttpProxyAgent({
    ...(httpProxy && { httpProxy }),
    ...(httpsProxy && { httpsProxy }),
    ...(noProxy && { noProxy }),
  });
}

function parseEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw new TrimtabError(
      'invalid_config',
      `HF_ENDPOINT should be an http(s) URL, is ${JSON.stringify(text)}`,
    );
  }
  return text.replace(/\/+$/, '');
}

/** What `hf auth login` wrote, if anything. */
function readTokenFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
