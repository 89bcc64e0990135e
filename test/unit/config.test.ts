import { mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { engineConfigSchema } from '../../src/engine/config.js';
import { serverConfigSchema } from '../../src/server/config.js';

const folder = mkdtempSync(join(tmpdir(), 'trimtab-'));

function write(text: string): string {
  const file = join(folder, 'test.yaml');
  writeFileSync(file, text);
  return file;
}

// A hole: it takes no room on disk.
writeFileSync(join(folder, 'huge.corpus'), '');
truncateSync(join(folder, 'huge.corpus'), 2 ** 30 + 1);

const models = 'models:\n  - source: somewhere/else\n';

describe('loadConfig', () => {
  it('should read the configuration that ships with the package', () => {
    const config = loadConfig(fileURLToPath(new URL('../../config/default.yaml', import.meta.url)));
    expect(config).toMatchObject({
      server: { port: 8080 },
      models: [{ id: 'nano', weights: 'auto', optimizeFor: 'latency' }],
    });
  });

  it.each([
    ['a wrong type', `server:\n  port: abc\n${models}`, /test\.yaml:2: server\.port: .*expected number/],
    [
      'an unknown setting',
      `server:\n  prot: 1\n${models}`,
      /test\.yaml:2: server\.prot: is not a known setting/,
    ],
    ['a value out of range', `engine:\n\n  maxLanes: 0\n${models}`, /test\.yaml:3: engine\.maxLanes: /],
    [
      'an unknown aim',
      `${models}    optimizeFor: fun\n`,
      /test\.yaml:3: models\.0\.optimizeFor: .*"latency"\|"throughput"/,
    ],
    [
      'a corpus that is not there',
      `${models}    drafts:\n      corpus: none.corpus\n`,
      /test\.yaml:4: models\.0\.drafts\.corpus: there is no file .*none\.corpus/,
    ],
    [
      'a corpus of too many bytes',
      `${models}    drafts:\n      corpus: huge.corpus\n`,
      /test\.yaml:4: models\.0\.drafts\.corpus: .*huge\.corpus has 1073741825 bytes, a corpus at most 1073741824/,
    ],
    ['broken YAML', `server: [1\n${models}`, /test\.yaml:\d+: /],
    ['no models', 'models: []\n', /models: /],
    ['a list at the top', '- 1\n', /expected object/],
    [
      'two models of one name',
      `${models}  - source: other/else\n    id: somewhere/else\n`,
      /two models have the id/,
    ],
  ])('should name file, line and setting for %s', (_, text, message) => {
    expect(() => loadConfig(write(text))).toThrow(message);
  });

  it('should find a corpus from where the file lies', () => {
    writeFileSync(join(folder, 'a.corpus'), '');
    const config = loadConfig(write(`${models}    drafts:\n      corpus: a.corpus\n`));
    expect(config.models[0]!.draftCorpus).toBe(join(folder, 'a.corpus'));
    expect(loadConfig(write(models)).models[0]!.draftCorpus).toBeUndefined();
  });

  it('should let flags win over the file', () => {
    const config = loadConfig(write(`server:\n  port: 1\n${models}`), {
      port: '2',
      model: 'org/name@main',
      weights: 'int8',
    });
    expect(config.server.port).toBe(2);
    expect(config.models).toMatchObject([{ id: 'org/name', source: 'org/name@main', weights: 'int8' }]);
  });

  it('should say when there is no such file', () => {
    expect(() => loadConfig(join(folder, 'none.yaml'))).toThrow(/none\.yaml: there is no such file/);
  });
});

it('should have every setting in docs/configuration.md', () => {
  const page = readFileSync(fileURLToPath(new URL('../../docs/configuration.md', import.meta.url)), 'utf8');
  const listed = [...page.matchAll(/^\| `(server|engine)\.(\w+)`/gm)].map(
    (match) => `${match[1]}.${match[2]}`,
  );
  const server = Object.keys(serverConfigSchema.unwrap().shape).map((name) => `server.${name}`);
  const engine = Object.keys(engineConfigSchema.shape).map((name) => `engine.${name}`);
  expect(listed.sort()).toEqual([...server, ...engine].sort());
});
