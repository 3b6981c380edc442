import { realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import type { BoardSetup } from '../setup/board-setup.ts';
import type { Drive } from './drive.ts';
import { driveByNumber } from './drive-list.ts';
import { checkDrive, checkRoom } from './drive-rules.ts';
import { type FlashResult, flashImage } from './flash-image.ts';
import { openSource } from './flash-source.ts';
import { deviceNumber, type FlashTarget, openDrive, openFile } from './flash-target.ts';
import type { FlashProgress } from './progress-meter.ts';
import { planSetup } from './setup-plan.ts';
import { readMark, type UnfinishedMark } from './unfinished-mark.ts';

/** Where an image can go: a drive that may be written to, or a plain file. */
export interface Destination {
  /** Without links. */
  readonly path: string;
  /** Undefined for a plain file. */
  readonly drive: Drive | undefined;
  /** Of a file that is there already. */
  readonly fileBytes: number | undefined;
}

export interface FlashingInit {
  readonly image: string;
  readonly destination: Destination;
  /** Of `findDestination`. */
  readonly fixedAllowed: boolean;
  /** Absent: the image goes onto the card as it is. */
  readonly setup?: BoardSetup | undefined;
  readonly signal: AbortSignal;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly onProgress?: (progress: FlashProgress) => void;
}

export interface Flashed extends FlashResult {
  readonly device: string;
  readonly image: string;
  /** Whether a setup was put into the image. */
  readonly isSetUp: boolean;
  /** False where a file system has no way around its cache: then the cache was read back, not the medium. */
  readonly isDirect: boolean;
}

/** Throws `refused` for a drive that must not be written to, `not-found`, `usage`. */
export async function findDestination(given: string, fixedAllowed: boolean): Promise<Destination> {
  const path = await withoutLinks(given);
  const number = await deviceNumber(path);
  if (number === undefined) {
    const fileBytes = await stat(path).then(
      ({ size }) => size,
      () => undefined,
    );
    return { path, drive: undefined, fileBytes };
  }
  const drive = driveByNumber(path, number);
  checkDrive(drive, fixedAllowed);
  return { path, drive, fileBytes: undefined };
}

/**
 * Writes an image to a card, sets it up, and reads it back. All that can be known before is checked before anything is
 * written. Throws `refused`, `not-found`, `usage`, and `environment` for what fails on the way.
 */
export async function flash(init: FlashingInit): Promise<Flashed> {
  const { image, destination, setup, signal, now, onProgress } = init;
  const source = await openSource(image);
  if (destination.fileBytes !== undefined && (await isSameFile(image, destination.path))) {
    throw new BoardsError('usage', `${destination.path} is the image itself; name another file or a drive`);
  }
  checkRoom(destination.path, destination.drive?.bytes, source.leastBytes);
  const plan = setup === undefined ? undefined : await planSetup(source.chunks(), setup, signal);
  const target = await openDestination(init);
  try {
    const result = await flashImage({
      source,
      target,
      plan,
      signal,
      now,
      began: new Date(),
      ...(onProgress && { onProgress }),
    });
    return { device: target.path, image, isSetUp: plan !== undefined, isDirect: target.isDirect, ...result };
  } finally {
    await target.close();
  }
}

/** The mark that an unfinished flashing has left. Throws `refused` for who may not read the drive. */
export async function unfinishedMark(path: string): Promise<UnfinishedMark | undefined> {
  try {
    return await readMark(path);
  } catch (error) {
    const code = Object(error).code;
    if (code === 'ENOENT') throw new BoardsError('not-found', `there is no ${path}`);
    if (code === 'EACCES') throw new BoardsError('refused', `${path} may not be read by this user; try with sudo`);
    throw new BoardsError('environment', `${path} cannot be read (${code})`, { cause: error });
  }
}

/** Looks once more when the drive is open: from then on it cannot be another one, and nobody can mount it. */
async function openDestination({ destination, fixedAllowed }: FlashingInit): Promise<FlashTarget> {
  const { path, drive } = destination;
  if (drive === undefined) return openFile(path);
  const target = await openDrive(path, drive.bytes);
  try {
    const { drive: now } = await findDestination(path, fixedAllowed);
    if (now?.bytes !== drive.bytes || now.model !== drive.model || now.sequence !== drive.sequence) {
      throw new BoardsError('refused', `${path} is another drive than a moment ago; nothing was written, begin again`);
    }
    return target;
  } catch (error) {
    await target.close();
    throw error;
  }
}

async function withoutLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // A file that is to be made.
    const folder = await realpath(dirname(path)).catch(() => dirname(path));
    return join(folder, path.slice(path.lastIndexOf('/') + 1));
  }
}

async function isSameFile(first: string, second: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(first), stat(second)]);
  return one.dev === other.dev && one.ino === other.ino;
}
