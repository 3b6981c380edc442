import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildBundle, bundleFor } from '../../boards/bundle.ts';
import { type BoardBundle, type BoardBundleInit, bundleBoard } from '../../boards/index.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache/pipevine-boards');
const KEPT_MS = 24 * 3_600_000;

/** The time that all files of tests bear: not that of a commit, which would make each commit's files new. */
export const TEST_TIME_SECONDS = 1_800_000_000;

type SharedInit = Pick<BoardBundleInit, 'board' | 'profile' | 'compression'>;

/** What `bundleBoard` makes, once for all test files and runs between which nothing that goes into it has changed. Not to be written to. */
export async function sharedBundle(init: SharedInit): Promise<BoardBundle> {
  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'work-'));
  try {
    const profile = init.profile ?? init.board.profile;
    const folder = join(CACHE, `${init.board.name}-${profile}-${await contentKey(init, profile, work)}`);
    const kept = await readFile(join(folder, 'bundle.json'), 'utf8').catch(() => undefined);
    if (kept === undefined) {
      const { files, ...rest } = await bundleBoard({ ...init, folder: work, timeSeconds: TEST_TIME_SECONDS });
      const made = { ...rest, files: files.map((file) => ({ ...file, path: join(folder, basename(file.path)) })) };
      await writeFile(join(work, 'bundle.json'), JSON.stringify(made));
      // Another process may have been faster, with the same bytes.
      await rename(work, folder).catch(() => undefined);
      return made;
    }
    return JSON.parse(kept);
  } finally {
    await rm(work, { recursive: true, force: true });
    await removeOld();
  }
}

/** Of the program, the sources that pack it, the versions of what it is packed with. */
async function contentKey(init: SharedInit, profile: 'edge' | 'gateway', work: string): Promise<string> {
  const { file } = await buildBundle(bundleFor(profile), work);
  const sources = globSync('boards/**/*.{ts,json}', { cwd: ROOT }).filter((path) => !path.endsWith('.test.ts'));
  const hash = createHash('sha256').update(JSON.stringify([init, process.version, process.arch]));
  for (const path of [file, ...[...sources.sort(), 'package-lock.json'].map((source) => join(ROOT, source))]) {
    hash.update(readFileSync(path));
  }
  await rm(file);
  return hash.digest('hex').slice(0, 16);
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(CACHE)) {
    const path = join(CACHE, name);
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs;
    if (age > KEPT_MS) await rm(path, { recursive: true, force: true });
  }
}
