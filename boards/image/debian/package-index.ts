import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BoardsError } from '../../boards-error.ts';
import { throwIfAborted } from './apart.ts';
import { COMPONENTS, SUITE } from './debian-recipe.ts';

export interface DebianMirrors {
  /** URL of a Debian archive, such as http://deb.debian.org/debian. */
  readonly mirror: string;
  /** URL of an archive of security updates. */
  readonly security: string;
}

export interface PackageIndexes {
  /** SHA-256 of each list of packages, in the order of `archives`. */
  readonly hashes: readonly string[];
  /** Of the newest release file of the suite itself, which changes when the suite does; seconds since 1970. */
  readonly timeSeconds: number;
}

interface Archive {
  readonly url: string;
  readonly suite: string;
}

const MAX_RELEASE_BYTES = 4 * 1024 * 1024;
const DEADLINE_MS = 60_000;

/** The suite, its updates, and those for security. */
export function archives({ mirror, security }: DebianMirrors): readonly Archive[] {
  return [
    { url: mirror, suite: SUITE },
    { url: mirror, suite: `${SUITE}-updates` },
    { url: security, suite: `${SUITE}-security` },
  ];
}

/**
 * Which packages the archives have now. By apt's own download, which knows the machine's proxies. Signatures are not looked at: that
 * is done by apt when it installs; a forged list makes the cache be used or not, no more.
 */
export async function packageIndexes(mirrors: DebianMirrors, signal: AbortSignal | undefined): Promise<PackageIndexes> {
  const folder = await mkdtemp(join(tmpdir(), 'pipevine-release-'));
  try {
    const releases: string[] = [];
    for (const { url, suite } of archives(mirrors)) {
      releases.push(await fetched(`${url}/dists/${suite}/InRelease`, join(folder, suite), signal));
    }
    return { hashes: releases.flatMap(indexHashes), timeSeconds: dateOf(releases[0] ?? '') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetched(source: string, target: string, signal: AbortSignal | undefined): Promise<string> {
  throwIfAborted(signal);
  try {
    await promisify(execFile)('/usr/lib/apt/apt-helper', ['download-file', source, target], {
      timeout: DEADLINE_MS,
      ...(signal && { signal }),
    });
  } catch (error) {
    throwIfAborted(signal);
    const reason = String(Object(error).stderr || Object(error).message).trim();
    throw new BoardsError('environment', `${source} could not be fetched: ${reason}`, { cause: error });
  }
  const text = await readFile(target, 'latin1');
  if (text.length > MAX_RELEASE_BYTES) throw new BoardsError('refused', `${source} is too large to be what it should`);
  return text;
}

/** Of a release file (Debian repository format, section "Release" files): the hash of each component's list for arm64. */
export function indexHashes(release: string): readonly string[] {
  const sums = release.slice(release.indexOf('\nSHA256:'));
  return COMPONENTS.map((component) => {
    const hash = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${component}/binary-arm64/Packages\\.xz$`, 'm').exec(sums)?.[1];
    if (hash === undefined) {
      throw new BoardsError('refused', `the mirror lists no packages of ${component} for arm64; is it one of Debian?`);
    }
    return hash;
  });
}

/** Of a release file, in seconds since 1970. */
export function dateOf(release: string): number {
  const ms = Date.parse(/^Date: (.{1,60})$/m.exec(release)?.[1] ?? '');
  if (Number.isNaN(ms))
    throw new BoardsError('refused', 'the release file of the mirror has no date; is it one of Debian?');
  return ms / 1_000;
}
