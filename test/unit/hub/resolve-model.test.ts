import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readHubOptions } from '../../../src/hub/hub-options.js';
import { resolveModel } from '../../../src/hub/resolve-model.js';
import { commit, HubServer } from '../../helpers/hub-server.js';
import { temporaryFolder } from '../../helpers/safetensors-bytes.js';

const files = { 'config.json': '{}', 'model.safetensors': 'weights' };

describe('resolveModel', () => {
  test('takes a folder that exists, without asking the hub', async () => {
    const server = await HubServer.start(files);
    const folder = temporaryFolder();
    expect(await resolveModel(folder, { hub: server.options() })).toBe(folder);
    expect(server.seen).toEqual([]);
  });

  test('pulls a model once, then finds it in the cache, by branch and by commit, also offline', async () => {
    const server = await HubServer.start(files);
    const hub = server.options();
    const folder = await resolveModel('org/model', { hub });
    const before = server.seen.length;
    expect(await resolveModel('org/model@main', { hub: { ...hub, offline: true } })).toBe(folder);
    expect(await resolveModel(`org/model@${commit}`, { hub })).toBe(folder);
    expect(server.seen).toHaveLength(before);
  });

  test('pulls again what is in the cache without its weights', async () => {
    const server = await HubServer.start(files);
    const hub = server.options();
    const folder = await resolveModel('org/model', { hub });
    rmSync(join(folder, 'model.safetensors'));
    const before = server.seen.length;
    expect(await resolveModel('org/model', { hub })).toBe(folder);
    expect(server.seen.length).toBeGreaterThan(before);
  });

  test('wants every shard that the index of a cached model names', async () => {
    const server = await HubServer.start(files);
    const hub = server.options();
    const repository = join(hub.cacheFolder, 'models--org--model');
    const snapshot = join(repository, 'snapshots', commit);
    mkdirSync(snapshot, { recursive: true });
    mkdirSync(join(repository, 'refs'));
    writeFileSync(join(repository, 'refs', 'main'), commit);
    writeFileSync(join(snapshot, 'config.json'), '{}');
    const index = { weight_map: { x: 'a.safetensors', y: 'b.safetensors' } };
    writeFileSync(join(snapshot, 'model.safetensors.index.json'), JSON.stringify(index));
    writeFileSync(join(snapshot, 'a.safetensors'), '');
    const offline = { hub: { ...hub, offline: true } };
    await expect(resolveModel('org/model', offline)).rejects.toThrow(/not in the cache/);
    writeFileSync(join(snapshot, 'b.safetensors'), '');
    expect(await resolveModel('org/model', offline)).toBe(snapshot);
  });

  test.each(['./no/such/folder', '/no/such', 'nano', '~/models/x'])(
    'names %j as neither folder nor model',
    async (source) => {
      const server = await HubServer.start(files);
      const options = { hub: server.options() };
      await expect(resolveModel(source, options)).rejects.toThrow(
        /no such folder, and it is no <org>\/<name>/,
      );
    },
  );
});

describe('readHubOptions', () => {
  test('has the defaults of the hub', () => {
    const options = readHubOptions({ HF_HOME: '/nowhere' });
    expect(options).toMatchObject({ endpoint: 'https://huggingface.co', token: undefined, offline: false });
    expect(options.cacheFolder).toBe('/nowhere/hub');
  });

  test('reads endpoint, cache and token, the last also from the file of the login', () => {
    const home = temporaryFolder();
    writeFileSync(join(home, 'token'), 'from-file\n');
    const endpoint = 'https://mirror.example/';
    expect(readHubOptions({ HF_HOME: home, HF_ENDPOINT: endpoint })).toMatchObject({
      endpoint: 'https://mirror.example',
      token: 'from-file',
    });
    const options = readHubOptions({
      HF_HOME: home,
      HF_TOKEN: ' x ',
      HF_HUB_CACHE: '/c',
      HF_HUB_OFFLINE: '1',
    });
    expect(options).toMatchObject({ token: 'x', cacheFolder: '/c', offline: true });
  });

  test('refuses an endpoint that is no http URL', () => {
    for (const HF_ENDPOINT of ['hub', 'ftp://x', 'file:///etc']) {
      expect(() => readHubOptions({ HF_ENDPOINT })).toThrow(/HF_ENDPOINT should be an http/);
    }
  });
});
