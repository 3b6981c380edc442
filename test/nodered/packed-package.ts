import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('../../nodered-nodes', import.meta.url));

/** Builds and packs the nodes as for the registry. Resolves to the tarball, in a new folder below the system's temporary one. */
export async function packNodes(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-pack-'));
  await run(process.execPath, [join(PACKAGE, 'build.ts')]);
  // The build is done; without scripts npm prints nothing else, and a node that is half written does not fail other tests.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: PACKAGE });
  const [file] = readdirSync(folder);
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
