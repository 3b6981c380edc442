import { BoardsError } from '../boards-error.ts';
import { type Drive, type DriveUse, isSystemUse } from './drive.ts';

/** Of many uses a message names these. */
const MAX_NAMED = 4;

/**
 * Throws `refused` for a drive that must not be written to. `fixedAllowed`: a built-in disk was named as such; it does not
 * help where this machine's own system lives.
 */
export function checkDrive(drive: Drive, fixedAllowed: boolean): void {
  const fault = driveFault(drive, fixedAllowed);
  if (fault !== undefined) throw new BoardsError('refused', fault);
}

/** Throws `refused` when an image needs more room than there is. */
export function checkRoom(path: string, capacityBytes: number | undefined, imageBytes: number): void {
  if (capacityBytes === undefined || imageBytes <= capacityBytes) return;
  throw new BoardsError(
    'refused',
    `the image needs ${imageBytes} bytes or more, ${path} has ${capacityBytes}: take a larger card`,
  );
}

/** Why a drive must not be written to, with what to do; undefined where it may. */
export function driveFault(drive: Drive, fixedAllowed: boolean): string | undefined {
  const { path, uses } = drive;
  const system = uses.filter(isSystemUse);
  if (system.length > 0) {
    return `${path} holds the system of this machine (${named(system)}); it is never written to: choose another drive`;
  }
  const mounts = uses.filter(({ kind }) => kind === 'mount');
  if (mounts.length > 0) {
    const devices = [...new Set(mounts.map(({ device }) => device))].slice(0, MAX_NAMED);
    return `${path} is in use: ${named(mounts)}; close what is open there, then: sudo umount ${devices.join(' ')}`;
  }
  const [holder] = uses;
  if (holder !== undefined) {
    return `${path} is in use: ${holder.device} is part of ${holder.at} (LVM, RAID or encryption); stop that first`;
  }
  if (drive.bytes === 0) return `${path} has no card in it`;
  if (drive.isReadOnly) return `${path} is write-protected; SD cards and adapters have a small switch on their side`;
  if (!drive.isRemovable && !fixedAllowed && drive.transport !== 'loop') {
    return `${path} is built in and no card; if it shall be overwritten all the same, name it by --fixed-disk ${path}`;
  }
  return undefined;
}

function named(uses: readonly DriveUse[]): string {
  const names = uses.map(({ kind, device, at }) =>
    kind === 'swap' ? `${device} is swap` : `${device} is mounted at ${at}`,
  );
  const more = names.length > MAX_NAMED ? `, and ${names.length - MAX_NAMED} more` : '';
  return names.slice(0, MAX_NAMED).join(', ') + more;
}
