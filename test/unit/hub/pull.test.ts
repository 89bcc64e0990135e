import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { TrimtabError } from '../../../src/core/errors.js';
import type { PullOptions, PullProgress } from '../../../src/hub/pull.js';
import { pull } from '../../../src/hub/pull.js';
import type { Answer } from '../../helpers/hub-server.js';
import { commit, dropAt, gitSha1, HubServer, sendBytes, sha256, status } from '../../helpers/hub-server.js';
import { writeTemporary } from '../../helpers/safetensors-bytes.js';

const weights = randomBytes(300_000);
const listing = '/api/models/org/model/revision/main';

const single = (): Record<string, Buffer | string> => ({
  'config.json': '{"model_type":"llama"}',
  'tokenizer.json': '{}',
  'model.safetensors': weights,
});

const sharded = (shards: Record<string, Buffer>): Record<string, Buffer | string> => {
  const map = Object.fromEntries(Object.keys(shards).map((file, i) => [`tensor${i}`, file]));
  const index = JSON.stringify({ weight_map: { ...map, again: Object.keys(shards)[0] } });
  return { 'config.json': '{}', 'model.safetensors.index.json': index, ...shards };
};

async function refusal(source: string, options: PullOptions): Promise<TrimtabError> {
  const error = await pull(source, options).then(
    () => new Error('expected a refusal'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TrimtabError)) throw error;
  return error;
}

const blobsOf = (cacheFolder: string) => join(cacheFolder, 'models--org--model', 'blobs');

describe('pulling a model', () => {
  test('fetches the needed files only, into the layout of the hub cache', async () => {
    const extra = {
      'README.md': 'x',
      'pytorch_model.bin': weights,
      'model.onnx': 'x',
      'consolidated.safetensors': 'x',
    };
    const server = await HubServer.start({ ...single(), ...extra });
    const hub = server.options();
    const folder = await pull('org/model', { hub });
    const repository = join(hub.cacheFolder, 'models--org--model');
    expect(folder).toBe(join(repository, 'snapshots', commit));
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
    expect(readlinkSync(join(folder, 'model.safetensors'))).toBe(`../../blobs/${sha256(weights)}`);
    expect(readlinkSync(join(folder, 'tokenizer.json'))).toBe(`../../blobs/${gitSha1(Buffer.from('{}'))}`);
    expect(readFileSync(join(repository, 'refs', 'main'), 'utf8')).toBe(commit);
    expect(readdirSync(blobsOf(hub.cacheFolder)).filter((name) => name.includes('.'))).toEqual([]);
  });

  test('fetches every shard of the index once, and reports progress up to the total', async () => {
    const shards = Object.fromEntries(
      Array.from({ length: 7 }, (_, i) => [
        `model-0000${i + 1}-of-00007.safetensors`,
        randomBytes(40_000 + i),
      ]),
    );
    const server = await HubServer.start(sharded(shards));
    const seen: PullProgress[] = [];
    const folder = await pull('org/model', { hub: server.options(), onProgress: (p) => seen.push(p) });
    for (const [name, bytes] of Object.entries(shards)) {
      expect(bytes.equals(readFileSync(join(folder, name)))).toBe(true);
      expect(server.requestsFor(name)).toHaveLength(2);
    }
    const { doneBytes, totalBytes } = seen.at(-1)!;
    expect(doneBytes).toBe(totalBytes);
    expect(totalBytes).toBe(Object.values(shards).reduce((sum, bytes) => sum + bytes.length, 2));
    expect(seen.map((p) => p.doneBytes)).toEqual(seen.map((p) => p.doneBytes).sort((a, b) => a - b));
  });

  test('downloads nothing that is already there', async () => {
    const server = await HubServer.start(single());
    const hub = server.options();
    await pull('org/model', { hub });
    const before = server.seen.length;
    await pull('org/model', { hub });
    expect(server.seen.slice(before).map((request) => request.path)).toEqual([listing]);
  });

  test('asks for the revision that was named', async () => {
    const server = await HubServer.start(single());
    const hub = server.options();
    await pull('org/model@refs/pr/7', { hub });
    expect(server.seen[0]!.path).toBe('/api/models/org/model/revision/refs/pr/7');
    expect(readFileSync(join(hub.cacheFolder, 'models--org--model/refs/refs/pr/7'), 'utf8')).toBe(commit);
  });

  test('gives the token to the hub and never to the host it redirects to', async () => {
    const server = await HubServer.start(single());
    await pull('org/model', { hub: server.options({ token: 'secret' }) });
    const tokens = (name: 'hub' | 'storage') =>
      new Set(
        server.seen.filter((request) => request.server === name).map((request) => request.authorization),
      );
    expect(tokens('hub')).toEqual(new Set(['Bearer secret']));
    expect(tokens('storage')).toEqual(new Set([undefined]));
  });
});

describe('a connection that breaks', () => {
  test('is resumed where it stopped', async () => {
    const server = await HubServer.start(single());
    server.instead.set('model.safetensors', [dropAt(100_000), dropAt(200_000)]);
    const folder = await pull('org/model', { hub: server.options() });
    expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
    const starts = server.seen
      .filter((request) => request.server === 'storage')
      .map(({ range }) => Number(range?.slice('bytes='.length, -1) ?? 0));
    expect(starts).toHaveLength(3);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
    expect(starts[2]).toBeGreaterThan(0);
  });

  test('may break any number of times while it gets on', async () => {
    const server = await HubServer.start(single());
    server.instead.set(
      'model.safetensors',
      Array.from({ length: 12 }, (_, i) => dropAt(20_000 * (i + 1))),
    );
    await expect(pull('org/model', { hub: server.options() })).resolves.toContain(commit);
  });

  test('that never gets on is given up, and the partial file stays for the next run', async () => {
    const server = await HubServer.start(single());
    server.instead.set('model.safetensors', [dropAt(150_000), ...Array<Answer>(6).fill(dropAt(0))]);
    const hub = server.options();
    const error = await refusal('org/model', { hub });
    expect(error).toMatchObject({ code: 'download_failed' });
    expect(error.message).toMatch(/model.safetensors: .*gave up after 6 attempts/);
    expect(existsSync(join(hub.cacheFolder, 'models--org--model/refs/main'))).toBe(false);
    server.instead.clear();
    const before = server.seen.length;
    await pull('org/model', { hub });
    const resumed = server.seen.slice(before).find((request) => request.server === 'storage');
    expect(resumed?.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  test('starts over when the server ignores Range or answers another range', async () => {
    const whole: Answer = (_request, response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
    };
    const shifted: Answer = (_request, response, bytes) => {
      response.writeHead(206, { 'content-range': `bytes 5-${bytes.length - 1}/${bytes.length}` });
      response.end(bytes.subarray(5));
    };
    for (const answer of [whole, shifted, status(416)]) {
      const server = await HubServer.start(single());
      server.instead.set('model.safetensors', [dropAt(100_000), answer]);
      const folder = await pull('org/model', { hub: server.options() });
      expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
    }
  });

  test('is retried when the server is busy, listing included', async () => {
    const server = await HubServer.start(single());
    server.instead.set(listing, [status(503), status(429, { 'retry-after': '0' })]);
    server.instead.set('model.safetensors', [status(500), status(502)]);
    server.instead.set('config.json', [status(504)]);
    await expect(pull('org/model', { hub: server.options() })).resolves.toContain(commit);
  });

  test('is reported with its host when nothing listens there', async () => {
    const server = await HubServer.start(single());
    const hub = server.options({ endpoint: 'http://127.0.0.1:1' });
    expect((await refusal('org/model', { hub })).message).toMatch(/127.0.0.1:1: .*ECONNREFUSED/);
  });
});

describe('verification', () => {
  test('refuses contents with a wrong checksum and keeps nothing of them', async () => {
    for (const name of ['model.safetensors', 'tokenizer.json']) {
      const server = await HubServer.start(single());
      const corrupt: Answer = (request, response, bytes) => {
        const other = Buffer.from(bytes);
        other[1]! ^= 1;
        sendBytes(request, response, other);
      };
      server.instead.set(name, [corrupt]);
      const hub = server.options();
      const error = await refusal('org/model', { hub });
      expect(error.message).toMatch(
        new RegExp(`^${name}: the contents do not match the (sha256|git-sha1) [0-9a-f]+`),
      );
      const hex = name === 'model.safetensors' ? sha256(weights) : gitSha1(Buffer.from('{}'));
      expect(readdirSync(blobsOf(hub.cacheFolder)).filter((blob) => blob.startsWith(hex))).toEqual([]);
    }
  });

  test('replaces a damaged part that an earlier run left', async () => {
    const server = await HubServer.start(single());
    const hub = server.options();
    mkdirSync(blobsOf(hub.cacheFolder), { recursive: true });
    writeFileSync(join(blobsOf(hub.cacheFolder), `${sha256(weights)}.incomplete`), randomBytes(70_000));
    const folder = await pull('org/model', { hub });
    expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
  });

  test('replaces a part that is longer than the file', async () => {
    const server = await HubServer.start(single());
    const hub = server.options();
    mkdirSync(blobsOf(hub.cacheFolder), { recursive: true });
    writeFileSync(join(blobsOf(hub.cacheFolder), `${sha256(weights)}.incomplete`), randomBytes(400_000));
    const folder = await pull('org/model', { hub });
    expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
  });

  test('refuses a server whose sizes contradict its listing', async () => {
    const server = await HubServer.start(single());
    const longer: Answer = (_request, response, bytes) => {
      response
        .writeHead(200, { 'content-length': bytes.length + 9 })
        .end(Buffer.concat([bytes, Buffer.alloc(9)]));
    };
    server.instead.set('model.safetensors', [longer]);
    const error = await refusal('org/model', { hub: server.options() });
    expect(error.message).toMatch(/offers 300009 bytes, its listing says 300000/);
  });

  test('stops an endless body at the announced size', async () => {
    const server = await HubServer.start(single());
    const endless: Answer = (_request, response) => {
      response.writeHead(200);
      const send = () => response.write(Buffer.alloc(65_536), () => response.destroyed || send());
      send();
    };
    server.instead.set('model.safetensors', [endless]);
    const error = await refusal('org/model', { hub: server.options() });
    expect(error.message).toMatch(/more than the 300000 bytes announced/);
  });
});

describe('refusals', () => {
  test.each<[Answer, RegExp, string?]>([
    [
      status(401, { 'x-error-code': 'RepoNotFound' }),
      /no such model, or it is private; if it is yours, set HF_TOKEN/,
    ],
    [status(403, { 'x-error-code': 'GatedRepo' }), /gated; accept its terms on its page, then set HF_TOKEN/],
    [status(403, { 'x-error-code': 'GatedRepo' }), /then check that the token in use may read it/, 'token'],
    [status(401), /needs a login; set HF_TOKEN/],
    [status(403), /access is denied/],
    [status(404, { 'x-error-code': 'RevisionNotFound' }), /no such revision/],
    [status(404), /no such model, revision or file/],
    [status(418), /answered 418: unexpected status/],
    [status(302, { location: 'file:///etc/passwd' }), /redirects to "file:/],
    [status(302), /redirects to ""/],
  ])('of the hub are explained (%#)', async (answer, message, token) => {
    const server = await HubServer.start(single());
    server.instead.set(listing, [answer]);
    const error = await refusal('org/model', { hub: server.options({ token }) });
    expect(error).toMatchObject({ code: 'download_failed' });
    expect(error.message).toMatch(message);
  });

  test('come for a redirect without end', async () => {
    const server = await HubServer.start(single());
    server.instead.set(listing, Array<Answer>(20).fill(status(302, { location: listing })));
    expect((await refusal('org/model', { hub: server.options() })).message).toMatch(/more than 10 redirects/);
  });

  test.each([
    'model',
    'a/b/c',
    '../x',
    'a/..',
    'org/model@../x',
    'org/model@',
    'org/mo del',
    'a/b@c@d',
    '-a/b',
    '',
  ])('come for the name %j before any request', async (source) => {
    const server = await HubServer.start(single());
    expect(await refusal(source, { hub: server.options() })).toMatchObject({ code: 'invalid_config' });
    expect(server.seen).toEqual([]);
  });

  test.each<[string, unknown]>([
    ['a commit that is a path', { sha: '../../../etc' }],
    ['a checksum that is a path', { siblings: [{ rfilename: 'config.json', size: 2, blobId: '../../x' }] }],
    ['a negative size', { siblings: [{ rfilename: 'config.json', size: -2, blobId: commit }] }],
    ['no files', { siblings: undefined }],
  ])('come for a listing with %s', async (_, changes) => {
    const server = await HubServer.start(single());
    server.editListing = (honest) => ({ ...honest, ...(changes as object) });
    expect((await refusal('org/model', { hub: server.options() })).message).toMatch(
      /the listing of the model has a wrong/,
    );
  });

  test('come for a listing that is not JSON', async () => {
    const server = await HubServer.start(single());
    server.instead.set(listing, [(_request, response) => void response.end('<html>')]);
    expect((await refusal('org/model', { hub: server.options() })).message).toMatch(/is not JSON/);
  });

  test.each(['../../evil.safetensors', '/etc/passwd', 'a/../b', '..', 'x\\y'])(
    'come for an index that names %j',
    async (name) => {
      const server = await HubServer.start(sharded({ [name]: Buffer.from('x') }));
      const error = await refusal('org/model', { hub: server.options() });
      expect(error.message).toMatch(/names the file ".*" in its index/);
    },
  );

  test('come for an index that names a missing file, or is none', async () => {
    const index = {
      'config.json': '{}',
      'model.safetensors.index.json': '{"weight_map":{"a":"gone.safetensors"}}',
    };
    const server = await HubServer.start(index);
    expect((await refusal('org/model', { hub: server.options() })).message).toMatch(
      /should have the file "gone/,
    );
    const other = await HubServer.start({ ...index, 'model.safetensors.index.json': '[]' });
    expect((await refusal('org/model', { hub: other.options() })).message).toMatch(/is not an index/);
  });

  test('come for a repository without safetensors or without config.json', async () => {
    const pickle = await HubServer.start({ 'config.json': '{}', 'pytorch_model.bin': 'x' });
    const error = await refusal('org/model', { hub: pickle.options() });
    expect(error).toMatchObject({ code: 'unsupported_model' });
    expect(error.message).toMatch(/only pytorch_model.bin.*choose a repository with safetensors/);
    const bare = await HubServer.start({ 'model.safetensors': weights });
    expect((await refusal('org/model', { hub: bare.options() })).message).toMatch(/has no config.json/);
  });

  test('come before a download that would fill the disk', async () => {
    const server = await HubServer.start(single());
    server.editListing = (honest) => ({
      ...honest,
      siblings: (honest.siblings as { rfilename: string; lfs?: object }[]).map((file) =>
        file.lfs === undefined ? file : { ...file, lfs: { ...file.lfs, size: 2 ** 52 } },
      ),
    });
    const error = await refusal('org/model', { hub: server.options() });
    expect(error.message).toMatch(/needs 4503599.6 GB, and the disk has .* GB left/);
    expect(server.requestsFor('model.safetensors')).toEqual([]);
  });

  test.runIf(existsSync('/dev/full'))('come with advice when the disk fills up on the way', async () => {
    const server = await HubServer.start(single());
    const hub = server.options();
    mkdirSync(blobsOf(hub.cacheFolder), { recursive: true });
    symlinkSync('/dev/full', join(blobsOf(hub.cacheFolder), `${sha256(weights)}.incomplete`));
    const error = await refusal('org/model', { hub });
    expect(error.message).toMatch(/the disk is full; make room or point HF_HUB_CACHE elsewhere/);
  });

  test('come for a cache folder that cannot be made', async () => {
    const server = await HubServer.start(single());
    const file = writeTemporary('file', '');
    const error = await refusal('org/model', { hub: server.options({ cacheFolder: join(file, 'cache') }) });
    expect(error.message).toContain(file);
  });

  test('come offline without a request', async () => {
    const server = await HubServer.start(single());
    const error = await refusal('org/model', { hub: server.options({ offline: true }) });
    expect(error.message).toMatch(/HF_HUB_OFFLINE/);
    expect(server.seen).toEqual([]);
  });
});

describe('interruption', () => {
  test('stops at once, leaves no file that looks whole, and the next pull goes on', async () => {
    const server = await HubServer.start(single());
    const stall: Answer = (_request, response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length });
      response.write(bytes.subarray(0, 120_000));
    };
    server.instead.set('model.safetensors', [stall]);
    const hub = server.options();
    const stop = new AbortController();
    const onProgress = ({ doneBytes }: PullProgress) =>
      doneBytes > 100_000 && stop.abort(new Error('enough'));
    await expect(pull('org/model', { hub, signal: stop.signal, onProgress })).rejects.toThrow('enough');
    const repository = join(hub.cacheFolder, 'models--org--model');
    expect(readdirSync(join(repository, 'snapshots', commit))).toEqual([]);
    const partial = join(repository, 'blobs', `${sha256(weights)}.incomplete`);
    expect(lstatSync(partial).size).toBeGreaterThan(90_000);
    const folder = await pull('org/model', { hub });
    expect(weights.equals(readFileSync(join(folder, 'model.safetensors')))).toBe(true);
    expect(server.requestsFor('model.safetensors').at(-1)?.range).toMatch(/^bytes=[1-9]/);
  });

  test('before the first request is honoured too', async () => {
    const server = await HubServer.start(single());
    await expect(pull('org/model', { hub: server.options(), signal: AbortSignal.abort() })).rejects.toThrow();
    expect(server.seen).toEqual([]);
  });

  test('of one failing file ends the downloads beside it', async () => {
    const server = await HubServer.start(single());
    server.instead.set('config.json', [status(404)]);
    const stall: Answer = (_request, response) => void response.writeHead(200).flushHeaders();
    server.instead.set('model.safetensors', [stall]);
    expect((await refusal('org/model', { hub: server.options() })).message).toMatch(
      /config.json answered 404/,
    );
  });
});

test('two pulls of the same model at the same time do not disturb each other', async () => {
  const server = await HubServer.start(single());
  server.instead.set('model.safetensors', [dropAt(90_000), dropAt(150_000)]);
  const hub = server.options();
  const [one, two] = await Promise.all([pull('org/model', { hub }), pull('org/model', { hub })]);
  expect(one).toBe(two);
  expect(weights.equals(readFileSync(join(one, 'model.safetensors')))).toBe(true);
});
