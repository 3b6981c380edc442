import { createHash } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BoardsError } from '../../boards-error.ts';
import { cacheFolder } from '../../executable/node-release.ts';
import type { BoardProfile } from '../../profiles/board-profile.ts';
import { runApart } from './apart.ts';
import { COMPONENTS, CUSTOMIZE_HOOK, ESSENTIAL_HOOK, PACKAGE_PATHS, PACKAGES } from './debian-recipe.ts';
import { debianSystem } from './debian-system.ts';
import { DISK_LAYOUT, diskImage } from './disk-image.ts';
import { ImageCache } from './image-cache.ts';
import { type DebianMirrors, type PackageIndexes, packageIndexes } from './package-index.ts';
import { requirePrograms } from './required-programs.ts';
import { SYSTEM_FILES } from './system-files.ts';

export interface DebianImageInit {
  readonly board: BoardProfile;
  /** URL. Default: http://deb.debian.org/debian. */
  readonly mirror?: string;
  /** URL. Default: http://deb.debian.org/debian-security. */
  readonly securityMirror?: string;
  /** Default: that of the user. */
  readonly cache?: string;
  readonly signal?: AbortSignal | undefined;
  readonly onStep?: (step: string) => void;
}

/** Boards whose firmware and kernel are in Debian 13. Its kernel 6.12 does not drive a Raspberry Pi 5. */
const BOARDS: readonly string[] = ['rpi-zero-2w', 'rpi-3', 'rpi-4'];

/**
 * A complete small image of Debian 13 for boards, the base of images where no stock one is wanted: the path of a file in the cache,
 * packed by zstd. It is made when the mirror has other packages than last time, which needs root and takes minutes, as programs for
 * arm64 are emulated. Without a way to the mirror the last one serves.
 */
export async function debianImage(init: DebianImageInit): Promise<string> {
  const { board, signal, onStep = () => {} } = init;
  if (!BOARDS.includes(board.name)) {
    throw new BoardsError(
      'usage',
      `images from Debian packages are for ${BOARDS.join(', ')}; for ${board.name} take a stock image: --base IMAGE`,
    );
  }
  const mirrors = {
    mirror: mirrorOf(init.mirror ?? 'http://deb.debian.org/debian'),
    security: mirrorOf(init.securityMirror ?? 'http://deb.debian.org/debian-security'),
  };
  const cache = new ImageCache(init.cache ?? cacheFolder(process.env));
  const parts = [PACKAGES, COMPONENTS, PACKAGE_PATHS, ESSENTIAL_HOOK, CUSTOMIZE_HOOK, SYSTEM_FILES, DISK_LAYOUT];
  const recipe = hashOf([parts, mirrors]);
  let indexes: PackageIndexes;
  try {
    indexes = await packageIndexes(mirrors, signal);
  } catch (error) {
    const last = signal?.aborted ? undefined : await cache.newest(recipe);
    if (last === undefined) throw error;
    onStep('the mirror of Debian does not answer; taking the system that was made last');
    return last;
  }
  const packages = hashOf(indexes);
  return (
    (await cache.find(recipe, packages)) ?? (await build({ mirrors, cache, recipe, packages, indexes, signal, onStep }))
  );
}

interface Build {
  readonly mirrors: DebianMirrors;
  readonly cache: ImageCache;
  readonly recipe: string;
  readonly packages: string;
  readonly indexes: PackageIndexes;
  readonly signal: AbortSignal | undefined;
  readonly onStep: (step: string) => void;
}

async function build({ mirrors, cache, recipe, packages, indexes, signal, onStep }: Build): Promise<string> {
  requirePrograms();
  const { timeSeconds } = indexes;
  // For large files, and on a disk: tmpfs often knows no devices.
  const work = await mkdtemp(join(process.env.TMPDIR ?? '/var/tmp', 'pipevine-debian-'));
  try {
    // apt and others step down to users of their own, who must get through.
    await chmod(work, 0o711);
    onStep('making the system from packages of Debian, which takes about ten minutes the first time');
    const system = join(work, 'system');
    await debianSystem({ mirrors, folder: system, work, timeSeconds, signal, onStep });
    onStep('making the file systems');
    const image = join(work, 'image');
    await diskImage({ system, file: image, work, timeSeconds, signal });
    const packed = `${image}.zst`;
    await runApart(['zstd', '--quiet', '-T0', '-6', '-o', packed, image], { signal });
    return await cache.keep(packed, recipe, packages);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const hashOf = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

function mirrorOf(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol) || /\s/.test(text)) {
    throw new BoardsError('usage', `a mirror is a URL such as http://deb.debian.org/debian, not "${text}"`);
  }
  return text.replace(/\/+$/, '');
}
