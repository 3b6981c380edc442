import { access, chmod, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import type { BoardProfile } from '../profiles/board-profile.ts';
import { type BoardSetup, encodeBoardSetup } from '../setup/board-setup.ts';
import { unpackImage } from './base-image.ts';
import { finishImage } from './finished-image.ts';
import { imagerManifest } from './imager-manifest.ts';
import { inject } from './inject.ts';
import { type DebianPackage, readDebianPackage } from './package/debian-package-reader.ts';
import type { InitFormat } from './settings/host-settings.ts';
import { requireTools } from './system-tool.ts';

export interface BoardImageInit {
  readonly board: BoardProfile;
  /** A stock image of Raspberry Pi OS or Debian, as it is or packed by xz, zstd or gzip. */
  readonly base: string;
  /** A package for this board, as `bundleBoard` makes it. */
  readonly package: string;
  readonly setup: BoardSetup;
  /** Ends with .img or .img.zst. Must not be there yet. */
  readonly out: string;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: string) => void;
  /** From 0 to 1, of a step that takes long. */
  readonly onProgress?: (step: string, part: number) => void;
}

export interface BoardImage {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly imageBytes: number;
  readonly imageSha256: string;
  /** For Raspberry Pi Imager; null for boards that it does not know. */
  readonly manifest: string | null;
  readonly version: string;
  /** Where the setup stands in the unpacked image. */
  readonly setupOffset: number;
  readonly format: InitFormat;
  /** Files on the boot partition that were added or changed. */
  readonly bootFiles: readonly string[];
  /** Whether it holds a join code or a Wi-Fi password; then only its owner may read it. */
  readonly isSecret: boolean;
  readonly seconds: { readonly unpack: number; readonly inject: number; readonly finish: number };
}

/** The name of the image in the working folder, where the tools find it. */
const IMAGE = 'image';

/**
 * Puts Pipevine and a setup into a copy of a stock image, without root and without mounting it, and checks both file systems
 * before and after. What is not whole is never at `out`. Throws a BoardsError that says what is wrong with what was given.
 */
export async function makeBoardImage(init: BoardImageInit): Promise<BoardImage> {
  const out = resolve(init.out);
  const { signal } = init;
  const [, stem, packing] = /^(.+)\.img(\.zst)?$/.exec(basename(out)) ?? [];
  if (stem === undefined)
    throw new BoardsError('usage', `expected a name that ends with .img or .img.zst, not "${init.out}"`);
  const setup = encodeBoardSetup(init.setup);
  requireTools(['debugfs', 'e2fsck', 'mcopy', 'mtype', 'xz']);
  await checkFree(out);
  const contents = await readDebianPackage(init.package);
  checkArchitecture(init, contents);
  const work = await workFolder(out);
  try {
    return await build({ ...init, out }, { setup, contents, work, stem, isPacked: packing !== undefined });
  } catch (error) {
    if (signal?.aborted) throw new BoardsError('environment', `stopped; there is no ${init.out}`, { cause: error });
    if (Object(error).code === 'ENOSPC')
      throw new BoardsError('environment', `there is no room for the image in ${dirname(out)}`, { cause: error });
    throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

interface Parts {
  readonly setup: Uint8Array;
  readonly contents: DebianPackage;
  readonly work: string;
  readonly stem: string;
  readonly isPacked: boolean;
}

async function build(init: BoardImageInit, { setup, contents, work, stem, isPacked }: Parts): Promise<BoardImage> {
  const { board, base, out, signal, onStep = () => {}, onProgress = () => {} } = init;
  const image = join(work, IMAGE);
  const step = (name: string) => {
    onStep(name);
    return (part: number) => onProgress(name, part);
  };
  const clock = stopwatch();
  const imageBytes = await unpackImage(base, image, { signal, onProgress: step('unpacking the base image') });
  const unpack = clock();

  const injected = await inject({
    image: IMAGE,
    imageBytes,
    contents,
    setup: init.setup,
    setupBytes: setup,
    tool: { folder: work, signal },
    onStep,
  });
  const inInjection = clock();

  const finished = await finishImage(image, isPacked, {
    signal,
    onProgress: step(isPacked ? 'packing' : 'taking the hash'),
  });
  const isSecret = init.setup.joinCode !== undefined || init.setup.wifi?.password !== undefined;
  await chmod(finished.path, isSecret ? 0o600 : 0o666 & ~process.umask());
  const version = contents.control.get('Version') ?? '';
  const manifest = imagerManifest({
    board,
    version,
    file: out,
    ...finished,
    format: injected.format,
    date: new Date(),
  });
  const manifestFile = join(dirname(out), `${stem}.rpi-imager-manifest`);
  await synced(finished.path);
  await checkFree(out);
  if (manifest !== undefined) await writeFile(manifestFile, manifest);
  await rename(finished.path, out);
  return {
    file: out,
    bytes: finished.packedBytes,
    sha256: finished.packedSha256,
    imageBytes: finished.imageBytes,
    imageSha256: finished.imageSha256,
    manifest: manifest === undefined ? null : manifestFile,
    version,
    ...injected,
    isSecret,
    seconds: { unpack, inject: inInjection, finish: clock() },
  };
}

function checkArchitecture({ board, package: file }: BoardImageInit, { control }: DebianPackage): void {
  const architecture = control.get('Architecture');
  if (architecture === board.architecture) return;
  throw new BoardsError('refused', `${file} is for ${architecture}, and ${board.name} needs ${board.architecture}`);
}

async function checkFree(out: string): Promise<void> {
  const isThere = await access(out).then(
    () => true,
    () => false,
  );
  if (isThere) throw new BoardsError('refused', `${out} is there already; remove it, or name another file`);
}

/** Beside the image, so that it can be moved in one step. */
async function workFolder(out: string): Promise<string> {
  const work = join(dirname(out), `.${basename(out)}.part`);
  try {
    await mkdir(work, { mode: 0o700 });
    return work;
  } catch (error) {
    const code = Object(error).code;
    throw new BoardsError(
      code === 'EEXIST' ? 'refused' : 'environment',
      code === 'EEXIST'
        ? `${work} is there: another run makes this image, or one was cut off; if none does, remove the folder`
        : `nothing can be written in ${dirname(out)} (${code})`,
      { cause: error },
    );
  }
}

async function synced(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Seconds since the last call, to a tenth. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = Math.round((now - last) / 100) / 10;
    last = now;
    return seconds;
  };
}
