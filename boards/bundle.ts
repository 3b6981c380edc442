import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BoardsError } from './boards-error.ts';
import type { PeerProfile } from './profiles/board-profile.ts';

const NO_SOURCES = 'this pipevine cannot bundle; run it in a clone, after `npm ci`';

/** The folder of all packages. What is bundled has none: throws `environment`. */
export function sourcesFolder(): string {
  const here: string | undefined = import.meta.url;
  if (here === undefined) throw new BoardsError('environment', NO_SOURCES);
  return fileURLToPath(new URL('..', here));
}

export interface Bundle {
  /** Source in cli/. */
  readonly entry: string;
  readonly file: string;
  /** What boards and services with this profile run. Absent: it stands for itself. */
  readonly profile?: PeerProfile;
  readonly maxBytes?: number;
}

export const BUNDLES: readonly Bundle[] = [
  // A larger file costs a small board start-up time and memory. The aim is 320 KiB, see bench/README.md; this is what it
  // may not grow beyond.
  { entry: 'main-edge.ts', file: 'pipevine-edge.cjs', maxBytes: 532 * 1024 },
  // The same with the board as a thing, UDP, mailboxes: what stands somewhere shall be reached there.
  { entry: 'main-board.ts', file: 'pipevine-board.cjs', profile: 'edge', maxBytes: 672 * 1024 },
  { entry: 'main.ts', file: 'pipevine.cjs', profile: 'gateway' },
];

/** Throws `usage` for a profile without one. */
export function bundleFor(profile: PeerProfile): Bundle {
  const found = BUNDLES.find((bundle) => bundle.profile === profile);
  if (found === undefined) throw new BoardsError('usage', `there is no bundle for the profile "${profile}"`);
  return found;
}

export interface BuiltBundle {
  readonly file: string;
  readonly bytes: number;
  /** Bytes by package or top folder, the largest first. */
  readonly parts: readonly (readonly [name: string, bytes: number])[];
  /** Files that went into it, relative to `sourcesFolder()`. */
  readonly inputs: readonly string[];
}

/** Node parses the whole file before the first line runs; the check helps those that parse it, from Node 16 on. */
const NODE_CHECK =
  'var v=process.versions.node.split(".");if(v[0]<22||v[0]==22&&v[1]<13){console.error("pipevine: Node 22.13 or newer is needed, this is "+process.versions.node+"; install one from https://nodejs.org");process.exit(1)}';

/**
 * Bundles one entry as minified CommonJS. `import()` becomes `require()`: Node's loader of ES modules costs 14 MB. A native
 * addon fails the build, as it would have to be built for each board.
 */
export async function buildBundle(bundle: Bundle, folder: string): Promise<BuiltBundle> {
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, bundle.file);
  const sources = sourcesFolder();
  const { build } = await loadBundler();
  const { metafile } = await build({
    absWorkingDir: sources,
    entryPoints: [join(sources, 'cli', bundle.entry)],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node22.13',
    supported: { 'dynamic-import': false },
    legalComments: 'none',
    banner: { js: `#!/usr/bin/env node\n${NODE_CHECK}` },
    loader: { '.node': 'empty' },
    // The bundler is native. What is bundled does not bundle.
    external: ['esbuild'],
    logOverride: { 'empty-import-meta': 'silent' },
    define: { 'process.env.NODE_ENV': '"production"' },
    metafile: true,
    logLevel: 'warning',
  });
  const addons = Object.keys(metafile.inputs).filter((input) => input.endsWith('.node'));
  if (addons.length > 0) throw new Error(`${bundle.file} would contain native addons: ${addons.join(', ')}`);
  const sizes = new Map<string, number>();
  const inputs = new Set<string>();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const name = partOf(input);
      if (bytesInOutput === 0) continue;
      inputs.add(input);
      sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
    }
  }
  const parts = [...sizes].sort((a, b) => b[1] - a[1]);
  return { file: outfile, bytes: statSync(outfile).size, parts, inputs: [...inputs].sort() };
}

async function loadBundler(): Promise<typeof import('esbuild')> {
  try {
    return await import('esbuild');
  } catch (error) {
    throw new BoardsError('environment', NO_SOURCES, {
      cause: error,
    });
  }
}

function partOf(input: string): string {
  const segments = input.split('/');
  const modules = segments.lastIndexOf('node_modules');
  if (modules !== -1) return segments[modules + 1] ?? input;
  const own = segments.findIndex((segment) => segment !== '..' && segment !== '.');
  return segments.slice(own, own + 2).join('/');
}
