import { execFile } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildBundle, bundleFor, sourcesFolder } from './bundle.ts';
import { commandList } from './debian/command-list.ts';
import { debianPackage } from './debian/debian-package.ts';
import { MAINTAINER_SCRIPTS } from './debian/maintainer-scripts.ts';
import { MAINTAINER, packageFiles } from './debian/package-files.ts';
import type { Compression } from './debian/xz.ts';
import { applicationBlob } from './executable/application-blob.ts';
import { cacheFolder, NODE_VERSION, type NodeRelease, nodeRelease } from './executable/node-release.ts';
import { singleExecutable } from './executable/single-executable.ts';
import type { BoardProfile, PeerProfile } from './profiles/board-profile.ts';
import { billOfMaterials, licenseList } from './release/bill-of-materials.ts';
import { bundledPackages } from './release/bundled-package.ts';
import { writeChecksums } from './release/checksums.ts';

export interface BoardBundleInit {
  readonly board: BoardProfile;
  /** Default: the board's. */
  readonly profile?: PeerProfile;
  /** Where the files go; made when it is missing. */
  readonly folder: string;
  /** Default: `small`. */
  readonly compression?: Compression;
  /** Signs the checksums. */
  readonly key?: KeyObject;
  /** Seconds since 1970 that all files bear. Default: SOURCE_DATE_EPOCH, or the time of the commit. */
  readonly timeSeconds?: number;
  readonly onStep?: (step: string) => void;
}

export interface BundledFile {
  readonly path: string;
  readonly kind: 'executable' | 'package' | 'bundle' | 'materials' | 'licenses';
  readonly bytes: number;
}

export interface BoardBundle {
  readonly board: string;
  readonly profile: PeerProfile;
  readonly version: string;
  readonly files: readonly BundledFile[];
  readonly isSigned: boolean;
}

const MACHINES = { arm64: 'arm64', amd64: 'x64' } as const;

/** Without a commit, as in an unpacked package: any constant. */
const NO_COMMIT_TIME_SECONDS = 1_700_000_000;

/** Makes all that a board needs: executable, Debian package, plain bundle, bill of materials, licences, signed checksums. */
export async function bundleBoard(init: BoardBundleInit): Promise<BoardBundle> {
  const { board, folder, key, compression = 'small', onStep = () => {} } = init;
  const profile = init.profile ?? board.profile;
  const timeSeconds = init.timeSeconds ?? (await commitTime());
  const version = await ownVersion();
  const name = `pipevine-${version}-${board.name}-${profile}`;
  await mkdir(folder, { recursive: true });
  const files: BundledFile[] = [];
  const put = async (kind: BundledFile['kind'], file: string, content: string | Uint8Array, mode = 0o644) => {
    const path = join(folder, file);
    await writeFile(path, content);
    await chmod(path, mode);
    files.push({ path, kind, bytes: Buffer.byteLength(content) });
  };

  const work = await mkdtemp(join(tmpdir(), 'pipevine-bundle-'));
  try {
    onStep('bundling the program');
    const built = await buildBundle(bundleFor(profile), work);
    const bundleText = await readFile(built.file);
    const commands = await commandList(built.file);
    const packages = bundledPackages(built.inputs, sourcesFolder());

    let program: Uint8Array = bundleText;
    let node: NodeRelease | undefined;
    if (board.node === 'bundled' && board.architecture !== 'armhf') {
      const machine = MACHINES[board.architecture];
      onStep(`Node ${NODE_VERSION} for ${machine}`);
      node = await nodeRelease(machine, cacheFolder(process.env));
      onStep('making the code cache');
      const blob = await applicationBlob(machine, { node: node.node, program: built.file, flags: board.nodeFlags });
      program = singleExecutable(node.node, blob);
      await put('executable', name, program, 0o755);
    }

    const materials = billOfMaterials({ name, version, packages, ...(node && { nodeVersion: node.version }) });
    const licenses = licenseList(packages, node);
    await put('bundle', `${name}.cjs`, bundleText, 0o755);
    await put('materials', `${name}.cdx.json`, materials);
    await put('licenses', `${name}.licenses.txt`, licenses);
    onStep(`packing${compression === 'small' ? ', which takes about a minute' : ''}`);
    const contents = packageFiles({ board, profile, version, program, commands, licenses, materials, timeSeconds });
    const debian = await debianPackage({
      control: controlOf(board, profile, version),
      files: contents,
      scripts: MAINTAINER_SCRIPTS,
      conffiles: contents.flatMap(({ path }) => (path.startsWith('etc/') ? [`/${path}`] : [])),
      timeSeconds,
      compression,
    });
    await put('package', `${name}_${board.architecture}.deb`, debian);
    await writeChecksums(
      folder,
      files.map(({ path }) => path.slice(folder.length).replace(/^[\\/]/, '')),
      key,
    );
    return { board: board.name, profile, version, files, isSigned: key !== undefined };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function controlOf(board: BoardProfile, profile: PeerProfile, version: string): Record<string, string> {
  const node = board.node === 'bundled' ? 'libc6 (>= 2.28), libstdc++6 (>= 9), libgcc-s1' : 'nodejs (>= 22.13)';
  return {
    Package: 'pipevine',
    Version: version,
    Architecture: board.architecture,
    Maintainer: MAINTAINER,
    Depends: `${node}, systemd`,
    Section: 'net',
    Priority: 'optional',
    Description: [
      'overlay of peers for small devices and gateways',
      ` A peer that finds others on the local network and through them, without any`,
      ` server of its own, and talks to them over encrypted pipes.`,
      ` .`,
      ` This package holds the ${profile} for: ${board.title}.`,
    ].join('\n'),
  };
}

async function ownVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(sourcesFolder(), 'cli', 'package.json'), 'utf8'));
  return String(Object(manifest).version);
}

async function commitTime(): Promise<number> {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined && /^\d{1,10}$/.test(given)) return Number(given);
  try {
    const { stdout } = await promisify(execFile)('git', ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct'], {
      cwd: sourcesFolder(),
    });
    return Number(stdout.trim()) || NO_COMMIT_TIME_SECONDS;
  } catch {
    return NO_COMMIT_TIME_SECONDS;
  }
}
