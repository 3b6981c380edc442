/**
 * The rules of the catalogue's scorecard (P, N and D of node-red-dev), and those of Node-RED's guide for packages, checked on the
 * packed tarball without a network. What needs the catalogue itself (other packages of the same name) is met by the scope and by
 * the prefix of each type.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packNodes } from '../packed-package.ts';
import { type NodeDefinition, nodeDefinitions } from './node-definitions.ts';

const semver: { satisfies(version: string, range: string): boolean; validRange(range: string): string | null } =
  createRequire(createRequire(import.meta.url).resolve('node-red/package.json'))('semver');

interface Manifest {
  readonly name: string;
  readonly license?: string;
  readonly repository?: { readonly url?: string; readonly directory?: string };
  readonly bugs?: { readonly url?: string };
  readonly keywords?: readonly string[];
  readonly engines?: { readonly node?: string };
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: object;
  readonly 'node-red': { readonly version?: string; readonly nodes: Readonly<Record<string, string>> };
}
interface ExampleNode {
  readonly id: string;
  readonly type: string;
  readonly z?: string;
  readonly wires?: readonly (readonly string[])[];
  readonly credentials?: unknown;
  readonly [field: string]: unknown;
}

const NODES = [
  'peer',
  ...['property', 'action', 'event', 'presence', 'expose', 'reply'],
  ...['pipe-in', 'pipe-out', 'request', 'response'],
  ...['discover', 'peer-info', 'group'],
  ...['http-expose', 'http-call'],
];
const LANGUAGES = ['en-US', 'de'];
const MAX_TARBALL_BYTES = 1024 * 1024;
const MAX_DEPENDENCIES = 6;
/** What Node-RED gives each node besides its defaults. */
const COMMON_FIELDS = ['id', 'type', 'z', 'x', 'y', 'wires', 'g', 'd', 'l', 'info'];

let tarball = '';
let folder = '';
let manifest: Manifest;
let definitions: readonly NodeDefinition[] = [];
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const page = (type: string) => read((manifest['node-red'].nodes[type] ?? '').replace(/\.js$/, '.html'));
/** All nodes of the package but the config node. */
const shown = () => definitions.filter(({ category }) => category !== 'config');
const examples = () =>
  globSync('examples/**/*.json', { cwd: folder })
    .sort()
    // Checked by the first test of them.
    .map((path) => ({ path, nodes: JSON.parse(read(path)) as readonly ExampleNode[] }));

beforeAll(async () => {
  tarball = await packNodes();
  const into = mkdtempSync(join(tmpdir(), 'pipevine-scorecard-'));
  execFileSync('tar', ['-xzf', tarball, '-C', into]);
  folder = join(into, 'package');
  manifest = JSON.parse(read('package.json'));
  definitions = Object.keys(manifest['node-red'].nodes).flatMap((type) => nodeDefinitions(page(type)));
}, 240_000);

afterAll(() => {
  if (tarball !== '') rmSync(dirname(tarball), { recursive: true, force: true });
  if (folder !== '') rmSync(dirname(folder), { recursive: true, force: true });
});

describe('the package', () => {
  it('says its licence, repository and where bugs go (P01, P03), and has a readme', () => {
    expect(manifest.license).toBe('Apache-2.0');
    expect(manifest.repository?.url).toMatch(/^git\+https:\/\/.+\.git$/);
    expect(manifest.repository?.directory).toBe('nodered-nodes');
    expect(manifest.bugs?.url).toMatch(/^https:\/\//);
    expect(read('README.md').length).toBeGreaterThan(1_000);
  });

  it('has a name in a scope (P04, P08) and the keyword (P05)', () => {
    expect(manifest.name).toMatch(/^@[a-z\d][\w-.]+\/[a-z\d][\w-.]*$/);
    expect(manifest.keywords).toContain('node-red');
  });

  it('says which Node-RED (P06) and which Node (P07) it runs on, and they go together', () => {
    const range = manifest['node-red'].version ?? '';
    const engines = manifest.engines?.node ?? '';
    expect(semver.validRange(range)).not.toBeNull();
    expect(semver.validRange(engines)).not.toBeNull();
    const require = createRequire(import.meta.url);
    for (const red of ['node-red', 'node-red-4']) {
      const { version } = require(`${red}/package.json`);
      expect(semver.satisfies(version, range), `Node-RED ${version}`).toBe(true);
    }
    // Node-RED 5 takes 22.9 and newer; of that line each release since 22.13 has node:sqlite.
    for (const node of ['22.13.0', '24.0.0', '26.0.0'])
      expect(semver.satisfies(node, engines), `Node ${node}`).toBe(true);
    expect(semver.satisfies('22.12.0', engines)).toBe(false);
  });

  it('has few dependencies (D01), none of them native, and runs nothing when it is installed', () => {
    expect(Object.keys(manifest.dependencies ?? {}).length).toBeLessThanOrEqual(MAX_DEPENDENCIES);
    expect(manifest.optionalDependencies).toBeUndefined();
    expect(globSync('**/*.{node,gyp}', { cwd: folder })).toEqual([]);
    for (const script of ['preinstall', 'install', 'postinstall']) expect(manifest.scripts).not.toHaveProperty(script);
  });

  it('is small', () => {
    expect(statSync(tarball).size).toBeLessThan(MAX_TARBALL_BYTES);
  });
});

describe('each node', () => {
  it('is in the package', () => {
    expect(Object.keys(manifest['node-red'].nodes).sort()).toEqual(NODES.map((name) => `pipevine-${name}`).sort());
  });

  it('registers one type by a literal, with defaults, category, colour and icon in line', () => {
    const types = Object.keys(manifest['node-red'].nodes);
    expect(definitions.map(({ type }) => type)).toEqual(types);
    for (const { type, defaults, color } of definitions) {
      expect(defaults.has('name'), type).toBe(true);
      expect(color, type).toMatch(/^#[0-9A-F]{6}$/i);
    }
    for (const { type, category, icon, inputs, outputs, members } of shown()) {
      expect(category, type).toBe('pipevine');
      expect(existsSync(join(folder, 'dist/icons', String(icon))), `icon of ${type}`).toBe(true);
      expect(inputs, type).toBeTypeOf('number');
      expect(outputs, type).toBeTypeOf('number');
      expect(members, type).toEqual(expect.arrayContaining(['label', 'paletteLabel']));
    }
  });

  it('has a type that no other package has (N01)', () => {
    for (const { type } of definitions) expect(type).toMatch(/^pipevine-[a-z-]+$/);
  });

  it('has its template and readable scripts', () => {
    for (const type of Object.keys(manifest['node-red'].nodes)) {
      const html = page(type);
      expect(html).toContain(`data-template-name="${type}"`);
      const longest = Math.max(...html.split('\n').map((line) => line.length));
      expect(longest, `longest line of ${type}`).toBeLessThan(1_000);
    }
  });

  it('has help with its sections in each language', () => {
    for (const { type, category, inputs, outputs } of definitions) {
      for (const language of LANGUAGES) {
        const html = language === 'en-US' ? page(type) : read(`dist/locales/${language}/${type}.html`);
        const help = new RegExp(`<script type="text/markdown" data-help-name="${type}">([\\s\\S]*?)</script>`).exec(
          html,
        )?.[1];
        const about = `${type} ${language}`;
        expect(help, about).toBeDefined();
        const wanted = ['Details', 'References'];
        if (inputs === 1) wanted.push('Inputs');
        if (outputs === 1) wanted.push('Outputs');
        if (category === 'config') wanted.push('Properties');
        for (const section of wanted) expect(help, about).toMatch(new RegExp(`^### ${section}$`, 'm'));
      }
    }
  });

  it('has the same labels in each language, and all that its template and script ask for', () => {
    for (const { type } of definitions) {
      const [english, ...others] = LANGUAGES.map((language) =>
        keys(JSON.parse(read(`dist/locales/${language}/${type}.json`))),
      );
      for (const other of others) expect(other, type).toEqual(english);
      const html = page(type);
      const asked = [
        ...html.matchAll(/data-i18n="(?:\[\w+\])?([^"]+)"/g),
        ...html.matchAll(/this\._\(["']([^"']+)["']\)/g),
      ];
      for (const [, key = ''] of asked) if (!key.includes(':')) expect(english, `${key} of ${type}`).toContain(key);
    }
  });
});

describe('the examples', () => {
  it('are flows with ids of 16 hexadecimal digits, of which no two are the same but that of the peer', () => {
    const all = examples().flatMap(({ nodes }) => nodes);
    for (const { id } of all) expect(id).toMatch(/^[0-9a-f]{16}$/);
    const ids = all.filter(({ type }) => type !== 'pipevine-peer').map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    // One peer serves all of them: who imports a second example keeps the one that is there.
    const peers = all.filter(({ type }) => type === 'pipevine-peer').map((node) => JSON.stringify(node));
    expect(new Set(peers).size).toBe(1);
  });

  it('use each node that is no config node (N02)', () => {
    const used = new Set(examples().flatMap(({ nodes }) => nodes.map(({ type }) => type)));
    expect(
      shown()
        .filter(({ type }) => !used.has(type))
        .map(({ type }) => type),
    ).toEqual([]);
  });

  it('explain themselves, and contain no secret', () => {
    for (const { path, nodes } of examples()) {
      expect(
        nodes.some(({ type }) => type === 'comment'),
        path,
      ).toBe(true);
      expect(nodes[0]?.type, path).toBe('tab');
      expect(nodes[0]?.info, path).toBeTypeOf('string');
      const secrets = new Set(['credentials', ...definitions.flatMap(({ credentials }) => credentials)]);
      for (const node of nodes) for (const field of Object.keys(node)) expect(secrets, path).not.toContain(field);
    }
  });

  it('have only fields that the nodes know, wires that end somewhere, and peers that are in them', () => {
    const known = new Map(definitions.map(({ type, defaults }) => [type, defaults]));
    for (const { path, nodes } of examples()) {
      const ids = new Map(nodes.map(({ id, type }) => [id, type]));
      for (const node of nodes) {
        for (const target of (node.wires ?? []).flat())
          expect(ids.has(target), `${path}: a wire of ${node.id}`).toBe(true);
        const defaults = known.get(node.type);
        expect(node.type.startsWith('pipevine-') && defaults === undefined, `${path}: ${node.type}`).toBe(false);
        if (defaults === undefined) continue;
        const unknown = Object.keys(node).filter((field) => !COMMON_FIELDS.includes(field) && !defaults.has(field));
        expect(unknown, `${path}: ${node.type}`).toEqual([]);
        for (const [field, { type }] of defaults) {
          if (type !== undefined && !type.includes(' '))
            expect(ids.get(String(node[field])), `${path}: ${field}`).toBe(type);
        }
      }
    }
  });
});

function keys(labels: object, path = ''): string[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const here = path === '' ? key : `${path}.${key}`;
    return typeof value === 'object' && value !== null ? keys(value, here) : [here];
  });
}
