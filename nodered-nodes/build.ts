/**
 * `node nodered-nodes/build.ts`: makes dist/ and resources/ of the package, and keeps the table of nodes in package.json. With
 * `--out FOLDER` the whole package is made there, and nothing here is touched. What was there before is replaced in one go, once
 * the new is complete.
 *
 * A node is `pipevine-x.ts` in any folder, with `pipevine-x.editor.ts`, `pipevine-x.html` (the edit template), and for each
 * language `pipevine-x.LANGUAGE.md` (help) and `.json` (labels). With --strict a node that lacks one of these fails the build.
 */
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, transform } from 'esbuild';

const HOME = fileURLToPath(new URL('.', import.meta.url));
const LANGUAGES = ['en-US', 'de'] as const;
const DEFAULT_LANGUAGE = 'en-US';
/** Code that the editor scripts share; it is there before the first of them. */
const EDITOR = 'pipevine-editor';
/** To replace a folder that others replace, too. */
const MAX_ATTEMPTS = 10;
const TARGET = 'node22.13';

/** In a bundle of ES modules, what was CommonJS asks for Node's own modules by `require`. */
const REQUIRE =
  "import { createRequire as pipevineRequire } from 'node:module';const require = pipevineRequire(import.meta.url);";

interface NodeSource {
  readonly type: string;
  /** Path without `.ts`. */
  readonly base: string;
}

const { strict, out } = parseArgs({
  options: { strict: { type: 'boolean', default: false }, out: { type: 'string', default: HOME } },
}).values;
const OUT = resolve(out);
mkdirSync(OUT, { recursive: true });
/** On the same disk as what it becomes. */
const STAGE = mkdtempSync(join(OUT, '.build-'));
const DIST = join(STAGE, 'dist');
const RESOURCES = join(STAGE, 'resources');

try {
  const nodes = sources();
  mkdirSync(DIST);
  await bundle(nodes);
  for (const node of nodes) {
    await composeHtml(node);
    copyCatalogues(node);
  }
  if (existsSync(join(HOME, 'icons'))) cpSync(join(HOME, 'icons'), join(DIST, 'icons'), { recursive: true });
  await bundleEditor();
  if (resolve(HOME) !== OUT) {
    for (const part of ['examples', 'README.md', 'LICENSE'])
      cpSync(join(HOME, part), join(STAGE, part), { recursive: true });
  }
  writeManifest(nodes);
  for (const part of readdirSync(STAGE)) replace(part);
  console.log(`${nodes.length} nodes: ${nodes.map(({ type }) => type).join(', ')}`);
} finally {
  rmSync(STAGE, { recursive: true, force: true });
}

/** Puts what is staged into its place. Another build may do the same: the last one wins. */
function replace(part: string): void {
  const place = join(OUT, part);
  for (let attempts = 1; ; attempts++) {
    try {
      if (existsSync(place)) renameSync(place, join(STAGE, `former-${part}-${attempts}`));
      renameSync(join(STAGE, part), place);
      return;
    } catch (error) {
      if (attempts === MAX_ATTEMPTS) throw error;
    }
  }
}

function sources(): NodeSource[] {
  const found: NodeSource[] = [];
  for (const path of globSync('*/pipevine-*.ts', { cwd: HOME }).sort()) {
    const type = basename(path, '.ts');
    // What all nodes share is no node.
    if (type.includes('.') || /^(?:editor|node|testing)\//.test(path)) continue;
    const base = join(HOME, dirname(path), type);
    const parts = ['.editor.ts', '.html', ...LANGUAGES.flatMap((language) => [`.${language}.md`, `.${language}.json`])];
    const missing = parts.filter((part) => !existsSync(base + part));
    if (missing.length === 0) found.push({ type, base });
    else {
      console.error(`${type} is left out: it lacks ${missing.map((part) => type + part).join(', ')}`);
      if (strict) process.exitCode = 1;
    }
  }
  return found;
}

/** All nodes at once: what they share, the overlay above all, is one file that is loaded once. */
async function bundle(all: readonly NodeSource[]): Promise<void> {
  const { metafile } = await build({
    entryPoints: all.map(({ type, base }) => ({ in: `${base}.ts`, out: type })),
    outdir: DIST,
    bundle: true,
    splitting: true,
    chunkNames: 'shared/[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: TARGET,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    loader: { '.node': 'empty' },
    define: { 'process.env.NODE_ENV': '"production"' },
    banner: { js: REQUIRE },
    metafile: true,
    logLevel: 'warning',
    absWorkingDir: HOME,
  });
  const addons = Object.keys(metafile.inputs).filter((input) => input.endsWith('.node'));
  if (addons.length > 0) throw new Error(`the package would contain native addons: ${addons.join(', ')}`);
}

/**
 * The editor's part of a node. The script is transpiled and nothing more, so that type, category, colour and defaults stay where
 * the catalogue's checker reads them.
 */
async function composeHtml({ type, base }: NodeSource): Promise<void> {
  const { code } = await transform(readFileSync(`${base}.editor.ts`, 'utf8'), { loader: 'ts', target: 'es2022' });
  const shared = existsSync(join(HOME, 'editor', `${EDITOR}.ts`))
    ? `<script src="resources/@pipevine/node-red/${EDITOR}.js"></script>\n`
    : '';
  const template = readFileSync(`${base}.html`, 'utf8').trim();
  const html = `${shared}<script type="text/javascript">
(() => {
${code.trim()}
})();
</script>

<script type="text/html" data-template-name="${type}">
${template}
</script>

${help(type, base, DEFAULT_LANGUAGE)}`;
  writeFileSync(join(DIST, `${type}.html`), html);
}

function copyCatalogues({ type, base }: NodeSource): void {
  for (const language of LANGUAGES) {
    const folder = join(DIST, 'locales', language);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${type}.json`), JSON.stringify(catalogue(type, base, language), undefined, 2));
    if (language !== DEFAULT_LANGUAGE) writeFileSync(join(folder, `${type}.html`), help(type, base, language));
  }
}

/** The labels of a node; with those of the config node come the sidebar's. */
function catalogue(type: string, base: string, language: string): object {
  const labels: object = JSON.parse(readFileSync(`${base}.${language}.json`, 'utf8'));
  if (type !== 'pipevine-peer') return labels;
  return { ...labels, ...JSON.parse(readFileSync(join(HOME, 'editor', `sidebar-${language}.json`), 'utf8')) };
}

function help(type: string, base: string, language: string): string {
  const text = readFileSync(`${base}.${language}.md`, 'utf8').trim();
  return `<script type="text/markdown" data-help-name="${type}">\n${text}\n</script>\n`;
}

async function bundleEditor(): Promise<void> {
  const entry = join(HOME, 'editor', `${EDITOR}.ts`);
  if (!existsSync(entry)) return;
  const outfile = join(RESOURCES, `${EDITOR}.js`);
  await build({ entryPoints: [entry], outfile, bundle: true, format: 'iife', target: 'es2022', logLevel: 'warning' });
}

/** Where it says the same as before it is left alone. */
function writeManifest(all: readonly NodeSource[]): void {
  const manifest = JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8'));
  manifest['node-red'].nodes = Object.fromEntries(all.map(({ type }) => [type, `dist/${type}.js`]));
  const before = join(OUT, 'package.json');
  if (existsSync(before) && JSON.stringify(JSON.parse(readFileSync(before, 'utf8'))) === JSON.stringify(manifest))
    return;
  writeFileSync(join(STAGE, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
}
