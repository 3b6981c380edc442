/** `npm run structure`: import directions, package faces, cycles, undeclared dependencies, ambient globals in the runtime. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PACKAGES, violationsOf } from './rules.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = [...Object.keys(PACKAGES), 'test', 'bench'];

/** More of them have one cause. */
const MAX_SHOWN = 100;

const files = new Map<string, string>();
for (const path of globSync(`{${FOLDERS.join(',')}}/**/*.{ts,js,cjs,mjs}`, { cwd: ROOT })) {
  if (/(^|\/)(node_modules|dist)\//.test(path)) continue;
  files.set(path, readFileSync(join(ROOT, path), 'utf8'));
}

const dependencies = new Map(
  ['', ...Object.keys(PACKAGES)].map((folder) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const runtime = Object.keys({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.peerDependencies,
    });
    return [
      folder,
      { runtime: new Set(runtime), all: new Set([...runtime, ...Object.keys(manifest.devDependencies ?? {})]) },
    ];
  }),
);

const violations = violationsOf({ files, dependencies });
for (const violation of violations.slice(0, MAX_SHOWN)) console.error(violation);
if (violations.length > 0) {
  console.error(`structure: ${violations.length} breaches of the import rules in ${files.size} files`);
  process.exitCode = 1;
} else {
  console.log(`structure: ${files.size} files keep the import rules`);
}
