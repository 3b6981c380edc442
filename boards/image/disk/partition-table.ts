import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BoardsError } from '../../boards-error.ts';

/** Bytes of an image from an offset; fewer only where it ends. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

export const readerOf =
  (file: FileHandle): ReadAt =>
  async (offset, length) => {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  };

export interface Partition {
  /** As the kernel counts: 1 is the first. */
  readonly number: number;
  readonly offset: number;
  readonly bytes: number;
}

export const SECTOR_BYTES = 512;
/** Of a master boot record: four entries with type, first sector and number of sectors. */
export const MBR_ENTRIES_AT = 446;
export const MBR_ENTRY_BYTES = 16;
export const MBR_ENTRIES = 4;
/** Says that a GUID partition table has the partitions. */
export const GPT_TYPE = 0xee;
/** Hold further partitions, which no image for boards has. */
const EXTENDED_TYPES: readonly number[] = [0x05, 0x0f, 0x85];
/** UEFI specification 2.10, section 5.3: 128 entries of 128 bytes are usual. */
const MAX_GPT_ENTRIES = 1024;
const MAX_GPT_ENTRY_BYTES = 4096;

/**
 * The partitions of an image: a master boot record, or a GUID partition table (UEFI specification 2.10, section 5.3) with both
 * checksums right. Throws `refused` for a table that a board could not use.
 */
export async function readPartitions(readAt: ReadAt, imageBytes: number): Promise<readonly Partition[]> {
  const sector = await readAt(0, SECTOR_BYTES);
  if (sector.length < SECTOR_BYTES || sector[510] !== 0x55 || sector[511] !== 0xaa) {
    throw refused('there is no partition table in it; expected the image of a whole disk');
  }
  const view = viewOf(sector);
  const types = Array.from(
    { length: MBR_ENTRIES },
    (_, index) => sector[MBR_ENTRIES_AT + index * MBR_ENTRY_BYTES + 4] ?? 0,
  );
  const partitions = types.includes(GPT_TYPE)
    ? await readGpt(readAt)
    : types.flatMap((type, index): Partition[] => {
        const at = MBR_ENTRIES_AT + index * MBR_ENTRY_BYTES;
        if (type === 0 || EXTENDED_TYPES.includes(type)) return [];
        return [partitionOf(index + 1, view.getUint32(at + 8, true), view.getUint32(at + 12, true))];
      });
  checkPlaces(partitions, imageBytes);
  return partitions;
}

async function readGpt(readAt: ReadAt): Promise<Partition[]> {
  const header = await readAt(SECTOR_BYTES, SECTOR_BYTES);
  const view = viewOf(header);
  const headerBytes = header.length < SECTOR_BYTES ? 0 : view.getUint32(12, true);
  if (
    headerBytes < 92 ||
    headerBytes > SECTOR_BYTES ||
    Buffer.from(header.subarray(0, 8)).toString('latin1') !== 'EFI PART'
  ) {
    throw refused('its GUID partition table has no header');
  }
  const covered = Uint8Array.from(header.subarray(0, headerBytes));
  covered.fill(0, 16, 20);
  if (crc32(covered) !== view.getUint32(16, true)) throw refused('the header of its GUID partition table is damaged');
  const [count, entryBytes] = [view.getUint32(80, true), view.getUint32(84, true)];
  if (count > MAX_GPT_ENTRIES || entryBytes < 128 || entryBytes > MAX_GPT_ENTRY_BYTES) {
    throw refused(`its GUID partition table has ${count} entries of ${entryBytes} bytes`);
  }
  const table = await readAt(toNumber(view.getBigUint64(72, true)) * SECTOR_BYTES, count * entryBytes);
  if (table.length !== count * entryBytes || crc32(table) !== view.getUint32(88, true)) {
    throw refused('its GUID partition table is damaged');
  }
  const entries = viewOf(table);
  return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const at = index * entryBytes;
    if (table.subarray(at, at + 16).every((byte) => byte === 0)) return [];
    const [first, last] = [
      toNumber(entries.getBigUint64(at + 32, true)),
      toNumber(entries.getBigUint64(at + 40, true)),
    ];
    return [partitionOf(index + 1, first, last - first + 1)];
  });
}

function checkPlaces(partitions: readonly Partition[], imageBytes: number): void {
  let end = SECTOR_BYTES;
  let before = 0;
  for (const { number, offset, bytes } of [...partitions].sort((a, b) => a.offset - b.offset)) {
    if (bytes <= 0) throw refused(`partition ${number} has no length`);
    if (offset < end)
      throw refused(`partition ${number} overlaps ${before === 0 ? 'the partition table' : `partition ${before}`}`);
    if (offset + bytes > imageBytes) {
      throw refused(
        `partition ${number} ends at byte ${offset + bytes}, and the image at ${imageBytes}; was it cut off?`,
      );
    }
    end = offset + bytes;
    before = number;
  }
}

const partitionOf = (number: number, firstSector: number, sectors: number): Partition => ({
  number,
  offset: firstSector * SECTOR_BYTES,
  bytes: sectors * SECTOR_BYTES,
});

/** A sector's number. One beyond all disks stands for those that a double cannot hold; it is out of range anyway. */
function toNumber(sector: bigint): number {
  return sector < 1n << 40n ? Number(sector) : 2 ** 40;
}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const refused = (fault: string) => new BoardsError('refused', `the base image cannot be used: ${fault}`);
