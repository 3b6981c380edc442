import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const BUILD = fileURLToPath(new URL('../../nodered-nodes/build.ts', import.meta.url));

/** Builds and packs the nodes as for the registry. Resolves to the tarball, in a new folder below the system's temporary one. */
export async function packNodes(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-pack-'));
  const built = join(folder, 'package');
  await run(process.execPath, [BUILD, '--out', built]);
  // The build is done, and a node that is half written does not fail other tests.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: built });
  const file = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (file === undefined) throw new Error('npm pack made nothing');
  return join(folder, file);
}

/** Installs the tarball into a user folder of Node-RED as its palette does, but off line: it depends on nothing. */
export async function installNodes(tarball: string, userDir: string): Promise<void> {
  mkdirSync(userDir, { recursive: true });
  writeFileSync(
    join(userDir, 'package.json'),
    JSON.stringify({ name: 'node-red-project', version: '0.0.1', private: true }),
  );
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--omit=dev', tarball], { cwd: userDir });
}
