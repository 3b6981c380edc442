import { copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = '@pipevine/node-red';
const FLOWS = fileURLToPath(new URL('flows.json', import.meta.url));

/** A user folder of Node-RED with the package in `nodes` and, unless flows are there already, the welcome flow. */
export function prepareUserFolder(path: string, nodes: string): void {
  const link = join(path, 'node_modules', PACKAGE);
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true, recursive: true });
  // A junction needs no rights on Windows; elsewhere the type says nothing.
  symlinkSync(nodes, link, 'junction');
  const manifest = { name: 'pipevine-welcome', version: '0.0.1', private: true, dependencies: { [PACKAGE]: '*' } };
  writeFileSync(join(path, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  const flows = join(path, 'flows.json');
  if (!existsSync(flows)) copyFileSync(FLOWS, flows);
}
