import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installNodes, packNodes } from './packed-package.ts';
import { startRed } from './red-process.ts';

const run = promisify(execFile);

let tarball: string;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-red-'));
  tarball = await packNodes();
}, 240_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (tarball !== undefined) rmSync(dirname(tarball), { recursive: true, force: true });
});

interface NodeSet {
  readonly module: string;
  readonly types: readonly string[];
  readonly err?: string;
  readonly enabled: boolean;
}

describe('the packed package', () => {
  it('has what Node-RED loads, and no sources, tests or paths of the machine that built it', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball]);
    const files = stdout.trim().split('\n');
    expect(files).toContain('package/package.json');
    expect(files).toContain('package/README.md');
    expect(files).toContain('package/dist/pipevine-peer.html');
    expect(files).toContain('package/dist/locales/de/pipevine-pipe-out.json');
    expect(files.filter((file) => /\.ts$|test|testing/.test(file))).toEqual([]);
    expect(statSync(tarball).size).toBeLessThan(1024 * 1024);
    await run('tar', ['-xzf', tarball, '-C', folder]);
    const home = process.cwd();
    for (const file of files) {
      expect(readFileSync(join(folder, file), 'utf8').includes(home), `${file} names ${home}`).toBe(false);
    }
    const manifest = JSON.parse(readFileSync(join(folder, 'package', 'package.json'), 'utf8'));
    expect(manifest.dependencies).toEqual({});
    expect(manifest.keywords).toContain('node-red');
    for (const file of Object.values<string>(manifest['node-red'].nodes)) expect(files).toContain(`package/${file}`);
  });

  it.each(['node-red', 'node-red-4'])('is installed and loads in %s', async (red) => {
    const userDir = join(folder, red);
    await installNodes(tarball, userDir);
    await using running = await startRed(red, userDir);
    const sets = (await running.get<NodeSet[]>('/nodes')).filter(({ module }) => module === '@pipevine/node-red');
    expect(sets.length).toBeGreaterThan(2);
    for (const set of sets) expect(set).toMatchObject({ enabled: true, types: [expect.stringMatching(/^pipevine-/)] });
    expect(sets.map(({ err }) => err).filter((err) => err !== undefined)).toEqual([]);
    const html = await (await fetch(`${running.url}/nodes`, { headers: { accept: 'text/html' } })).text();
    expect(html).toContain('data-template-name="pipevine-peer"');
    expect((await fetch(`${running.url}/resources/@pipevine/node-red/pipevine-editor.js`)).status).toBe(200);
    expect((await fetch(`${running.url}/icons/@pipevine/node-red/pipevine-pipe-in.svg`)).status).toBe(200);
    const german = await running.get<object>('/nodes/messages?lng=de');
    expect(JSON.stringify(german)).toContain('über das Gateway dieses Rechners');
    const refused = await fetch(`${running.url}/pipevine/none/things`);
    expect([refused.status, await refused.json()]).toEqual([404, expect.objectContaining({ code: 'not-found' })]);
  });
});
