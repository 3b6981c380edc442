import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A package of npm whose code is in a bundle. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX identifier or expression. */
  readonly license: string;
  /** Text of its licence file; empty when it has none. */
  readonly licenseText: string;
  readonly isOwn: boolean;
}

/** The packages of these source files, by name. `root` is what the relative paths begin at. */
export function bundledPackages(inputs: readonly string[], root: string): readonly BundledPackage[] {
  const found = new Map<string, BundledPackage>();
  for (const folder of new Set(inputs.map((input) => dirname(join(root, input))))) {
    const at = packageFolder(folder);
    if (at === undefined) continue;
    const manifest: unknown = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'));
    const { name, version, license } = Object(manifest);
    const isOwn = !at.includes('/node_modules/');
    const file = readdirSync(at).find((each) => /^licen[cs]e(\.(md|txt))?$/i.test(each));
    found.set(`${name} ${version}`, {
      name: String(name),
      version: String(version),
      license: typeof license === 'string' ? license : 'NOASSERTION',
      licenseText: file === undefined || isOwn ? '' : readFileSync(join(at, file), 'utf8').trim(),
      isOwn,
    });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The nearest folder above whose package.json has a name and a version; some have one more inside, for its type alone. */
function packageFolder(from: string): string | undefined {
  for (let folder = from; dirname(folder) !== folder; folder = dirname(folder)) {
    try {
      const { name, version } = Object(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
      if (typeof name === 'string' && typeof version === 'string') return folder;
    } catch {
      // No manifest here: look above.
    }
  }
  return undefined;
}
