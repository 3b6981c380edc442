import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUNDLES, type BuiltBundle, buildBundle, bundleFor } from './bundle.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-bundle-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe.each(BUNDLES)('$file', (bundle) => {
  let built: BuiltBundle;

  beforeAll(async () => {
    built = await buildBundle(bundle, folder);
  });

  it('is within its budget', () => {
    expect(built.bytes).toBeLessThanOrEqual(bundle.maxBytes ?? Number.POSITIVE_INFINITY);
  });

  it('runs alone, without a warning', async () => {
    // Far from any node_modules, so whatever was left out of the bundle is missed.
    expect(await run(process.execPath, [built.file, '--version'], { cwd: folder })).toEqual({
      stdout: '0.1.0\n',
      stderr: '',
    });
    const { stdout } = await run(process.execPath, [built.file, 'init', '--home', join(folder, 'home'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ peer: expect.stringMatching(/^urn:pipevine:peer:/) });
  });
});

it.each(BUNDLES.filter(({ profile }) => profile !== 'gateway'))(
  'keeps the proxy host, its MQTT and QR codes out of $file',
  async (bundle) => {
    const { parts } = await buildBundle(bundle, folder);
    const names = parts.map(([name]) => name).filter((name) => /proxy-host|mqtt|aedes|uqr/.test(name));
    expect(names).toEqual([]);
  },
);

it('gives boards what can show them, whatever their profile', async () => {
  for (const profile of ['edge', 'gateway'] as const) {
    const { inputs } = await buildBundle(bundleFor(profile), folder);
    expect(inputs).toContain('cli/daemon/board-thing.ts');
  }
});
