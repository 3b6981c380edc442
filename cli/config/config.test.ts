import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from './config-file.ts';
import { configSchema } from './config-schema.ts';
import { OPTIONS } from './options.ts';
import { loadSettings } from './settings.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pipevine-config-'));
});

afterEach(() => rmSync(home, { recursive: true }));

function faultOf(text: string): string | undefined {
  try {
    parseConfig(text, 'pipevine.yaml');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const GOOD = [
  '',
  '# nothing\n',
  'name: cellar\nlisten: [tcp://0.0.0.0:1, "tcp://[::]:1"]\nmulticast: false\n',
  'seed: tcp://a:1\n',
];
const BAD: readonly (readonly [text: string, message: string])[] = [
  [
    'name: cellar\nmqt-listen: 0.0.0.0:1883\n',
    'pipevine.yaml:2:1: unknown key "mqt-listen"; did you mean "mqtt-listen"?',
  ],
  ['mqtt_listen: 0.0.0.0:1883\n', 'pipevine.yaml:1:1: unknown key "mqtt_listen"; did you mean "mqtt-listen"?'],
  ['\n\nprofile: router\n', 'pipevine.yaml:3:10: "profile": expected edge or gateway'],
  ['multicast: maybe\n', 'pipevine.yaml:1:12: "multicast": expected true or false'],
  ['multicast-port: 70000\n', 'pipevine.yaml:1:17: "multicast-port": expected a port from 1 to 65535'],
  ['listen: [tcp://a:1, 5]\n', 'pipevine.yaml:1:9: "listen": expected an address such as tcp://192.168.1.5:7473'],
  ['name:\n', 'pipevine.yaml:1:6: "name": expected 1 to 64 characters without a space at either end'],
  ['name: {a: 1}\n', 'pipevine.yaml:1:7: a value that starts with "{" must stand in quotes'],
  ['json: true\n', 'pipevine.yaml:1:1: "json" cannot stand in the file; use the flag --json'],
  ['- a\n', 'pipevine.yaml:1:1: expected "key: value", such as "name: cellar"'],
];

describe('a configuration file', () => {
  it.each(GOOD)('is read: %j', (text) => {
    expect(faultOf(text)).toBeUndefined();
  });

  it.each(BAD)('is refused with the place: %j', (text, message) => {
    expect(faultOf(text)).toBe(message);
  });

  it('names the place of a syntax error and of a key that stands twice', () => {
    expect(faultOf('name: "cellar\nlisten: x\n')).toMatch(/^pipevine\.yaml:\d+:\d+: /);
    expect(faultOf('name: a\nname: b\n')).toMatch(/^pipevine\.yaml:2:1: .*unique/);
  });

  it('counts further faults', () => {
    expect(faultOf('a: 1\nb: 2\nc: 3\n')).toMatch(/^pipevine\.yaml:1:1: unknown key "a".*\(and 2 more\)$/);
  });

  it('keeps secrets out', () => {
    expect(faultOf('mqtt-password: x\n')).toContain('set PIPEVINE_MQTT_PASSWORD');
  });

  it('is refused when it is large, before it is parsed', () => {
    expect(faultOf(`name: ${'x'.repeat(70_000)}`)).toContain('larger than 65536 bytes');
  });
});

describe('the published schema', () => {
  const published = JSON.parse(readFileSync(new URL('pipevine.schema.json', import.meta.url), 'utf8'));

  it('is the one that the options make', () => {
    expect(published).toEqual(JSON.parse(JSON.stringify(configSchema())));
  });

  it('agrees with our own checker', () => {
    const validate = new Ajv2020({ strict: false }).compile(published);
    for (const text of GOOD) expect([text, validate(parse(text) ?? {})]).toEqual([text, true]);
    for (const [text] of BAD) expect([text, validate(parse(text) ?? {})]).toEqual([text, false]);
  });
});

it('stands in the documentation, option by option', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  expect(OPTIONS.map(({ key }) => key).filter((key) => !page.includes(`\n| \`${key}\` |`))).toEqual([]);
});

describe('settings', () => {
  it('take a flag before a variable before the file before the default', async () => {
    writeFileSync(join(home, 'pipevine.yaml'), 'name: file\nseed: tcp://file:1\nlog-level: warn\n');
    const env = { PIPEVINE_HOME: home, PIPEVINE_NAME: 'variable', PIPEVINE_SEED: 'tcp://a:1, tcp://b:2' };
    const settings = await loadSettings({ name: 'flag' }, env);
    expect(settings).toMatchObject({
      home,
      name: 'flag',
      seed: ['tcp://a:1', 'tcp://b:2'],
      logLevel: 'warn',
      multicast: true,
      listen: undefined,
      configFile: join(home, 'pipevine.yaml'),
    });
    expect((await loadSettings({}, env)).name).toBe('variable');
  });

  it('show the board by flag, variable, or a section of the file', async () => {
    writeFileSync(join(home, 'pipevine.yaml'), 'board:\n  # what is wired\n  name: Cellar\nname: x\n');
    const section = { text: '  # what is wired\n  name: Cellar\n', line: 2 };
    expect(await loadSettings({ home }, {})).toMatchObject({ board: { section }, name: 'x' });
    expect((await loadSettings({ home, board: true }, {})).board).toEqual({ section });
    expect((await loadSettings({ home }, { PIPEVINE_BOARD: 'no' })).board).toBeUndefined();
    rmSync(join(home, 'pipevine.yaml'));
    expect((await loadSettings({ home }, {})).board).toBeUndefined();
    expect((await loadSettings({ home, board: true }, {})).board).toEqual({ section: undefined });
  });

  it('find the home by XDG, and in a file that was named', async () => {
    const xdg = await loadSettings({}, { XDG_DATA_HOME: home });
    expect(xdg.home).toBe(join(home, 'pipevine'));
    const file = join(home, 'my.yaml');
    writeFileSync(file, `home: ${home}\n`);
    expect((await loadSettings({ config: file }, {})).home).toBe(home);
    writeFileSync(join(home, 'pipevine.yaml'), 'home: /elsewhere\n');
    await expect(loadSettings({ home }, {})).rejects.toThrow('makes sense only in a file that is named by --config');
  });

  it('refuse a configuration file that was named and is not there', async () => {
    await expect(loadSettings({ config: join(home, 'none.yaml') }, {})).rejects.toThrow(
      'none.yaml cannot be read (ENOENT)',
    );
  });

  it('refuse two brokers, and a certificate without a broker', async () => {
    const broker = { mqtt: 'mqtt://h', 'mqtt-listen': '0.0.0.0:1' };
    await expect(loadSettings({ home, ...broker }, {})).rejects.toThrow('give only one of them');
    await expect(loadSettings({ home, 'mqtt-ca': 'ca.pem' }, {})).rejects.toThrow('belong to --mqtt');
  });
});
