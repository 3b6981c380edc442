import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { BoardsError } from '../boards-error.ts';
import { alignedLength } from './aligned-memory.ts';

/** What an image is written to. Memory, offsets and lengths are aligned as `aligned-memory.ts` says. */
export interface FlashTarget {
  readonly path: string;
  /** Undefined for a file, which grows. */
  readonly capacityBytes: number | undefined;
  /** Whether what is read comes from the medium; else it may come from a cache. */
  readonly isDirect: boolean;
  /** Writes all, or throws `environment`: a drive that is full, failing or gone. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Fills all, or throws `environment`. */
  read(offset: number, bytes: Uint8Array): Promise<void>;
  /** Until all that was written is on the medium. */
  sync(): Promise<void>;
  /** Cuts a file to the length of the image; nothing for a drive. */
  setLength(bytes: number): Promise<void>;
  close(): Promise<void>;
}

const { O_RDWR, O_CREAT, O_EXCL, O_DIRECT } = constants;

/** For this process alone: the kernel refuses a drive that is mounted anywhere, and refuses others to mount it. */
export async function openDrive(path: string, capacityBytes: number): Promise<FlashTarget> {
  const file = await opened(path, O_RDWR | O_EXCL | O_DIRECT);
  return new FileTarget(path, file, capacityBytes, true);
}

/** A plain file, made when it is missing. */
export async function openFile(path: string): Promise<FlashTarget> {
  try {
    return new FileTarget(path, await open(path, O_RDWR | O_CREAT | O_DIRECT, 0o644), undefined, true);
  } catch (error) {
    // Some file systems have no way around their cache.
    if (Object(error).code !== 'EINVAL') throw openFault(path, error);
    return new FileTarget(path, await opened(path, O_RDWR | O_CREAT), undefined, false);
  }
}

/** The number of a drive, or undefined for a plain file and for one that is to be made. Throws `usage`, `not-found`. */
export async function deviceNumber(path: string): Promise<number | undefined> {
  try {
    const about = await stat(path);
    if (about.isBlockDevice()) return about.rdev;
    if (about.isFile()) return undefined;
  } catch (error) {
    if (Object(error).code !== 'ENOENT') throw openFault(path, error);
    // A file in /dev would be made in memory, and taken for a card.
    if (!path.startsWith('/dev/')) return undefined;
    throw new BoardsError('not-found', `there is no drive ${path}; pipevine flash --list shows those that there are`);
  }
  throw new BoardsError('usage', `${path} is neither a drive nor a file; pipevine flash --list shows the drives`);
}

class FileTarget implements FlashTarget {
  readonly path: string;
  readonly capacityBytes: number | undefined;
  readonly isDirect: boolean;
  readonly #file: FileHandle;

  constructor(path: string, file: FileHandle, capacityBytes: number | undefined, isDirect: boolean) {
    this.path = path;
    this.#file = file;
    this.capacityBytes = capacityBytes;
    this.isDirect = isDirect;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const { bytesWritten } = await this.#try('writing', offset, () => this.#file.write(bytes, 0, bytes.length, offset));
    if (bytesWritten === bytes.length) return;
    throw this.#fault('writing', offset + bytesWritten, `only ${bytesWritten} of ${bytes.length} bytes were taken`);
  }

  async read(offset: number, bytes: Uint8Array): Promise<void> {
    const { bytesRead } = await this.#try('reading', offset, () => this.#file.read(bytes, 0, bytes.length, offset));
    if (bytesRead === bytes.length) return;
    throw this.#fault('reading', offset + bytesRead, `only ${bytesRead} of ${bytes.length} bytes came`);
  }

  async sync(): Promise<void> {
    await this.#try('writing', 0, () => this.#file.sync());
  }

  async setLength(bytes: number): Promise<void> {
    if (this.capacityBytes === undefined) await this.#try('writing', bytes, () => this.#file.truncate(bytes));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #try<T>(doing: string, offset: number, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      throw this.#fault(doing, offset, FAULTS.get(Object(error).code) ?? String(Object(error).code), error);
    }
  }

  #fault(doing: string, offset: number, what: string, cause?: unknown): BoardsError {
    return new BoardsError('environment', `${doing} ${this.path} failed at byte ${offset}: ${what}`, { cause });
  }
}

const FAULTS = new Map([
  ['ENOSPC', 'it is full'],
  ['EFBIG', 'it is full'],
  ['EIO', 'the drive reports an error; it may be worn out, or its reader'],
  ['ENXIO', 'the drive is gone; was it pulled out?'],
  ['ENODEV', 'the drive is gone; was it pulled out?'],
  ['ENOMEDIUM', 'the drive is gone; was it pulled out?'],
  ['EROFS', 'it is write-protected'],
  ['EPERM', 'it is write-protected'],
]);

async function opened(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags, 0o644);
  } catch (error) {
    throw openFault(path, error);
  }
}

function openFault(path: string, error: unknown): BoardsError {
  const options = { cause: error };
  switch (Object(error).code) {
    case 'EACCES':
    case 'EPERM':
      return new BoardsError('refused', `${path} may not be opened by this user; try with sudo`, options);
    case 'EBUSY':
      return new BoardsError(
        'refused',
        `${path} is in use: mounted by another user or container, or written by another program; end that first`,
        options,
      );
    case 'EROFS':
      return new BoardsError('refused', `${path} is write-protected`, options);
    case 'ENOMEDIUM':
      return new BoardsError('refused', `${path} has no card in it`, options);
    case 'ENOENT':
    case 'ENOTDIR':
      return new BoardsError('not-found', `the folder of ${path} does not exist`, options);
    default:
      return new BoardsError('environment', `${path} cannot be opened (${Object(error).code})`, options);
  }
}

/** A whole number of sectors that holds so many bytes, and no more than a drive has. */
export function writableLength(target: FlashTarget, offset: number, bytes: number): number {
  const room = (target.capacityBytes ?? Number.POSITIVE_INFINITY) - offset;
  return Math.min(alignedLength(bytes), Math.max(room, 0));
}
