import { BoardsError } from '../../boards-error.ts';
import { type Partition, type ReadAt, readPartitions, SECTOR_BYTES } from './partition-table.ts';

export interface RootPartition extends Partition {
  readonly freeBytes: number;
  readonly freeInodes: number;
}

/** What stock images consist of: a FAT partition that the firmware reads, and an ext4 one with the system. */
export interface ImageLayout {
  readonly boot: Partition;
  readonly root: RootPartition;
}

/** The superblock of ext4 stands 1024 bytes from the start, and has as many. */
const SUPERBLOCK_AT = 1024;
const SUPERBLOCK_BYTES = 1024;
const EXT4_MAGIC = 0xef53;
const CLEANLY_UNMOUNTED = 0x1;
const NEEDS_RECOVERY = 0x4;
const HAS_64_BIT_COUNTS = 0x80;

/** Finds both. Throws `refused`, saying what is there, for images of another kind. */
export async function readLayout(readAt: ReadAt, imageBytes: number): Promise<ImageLayout> {
  const boots: Partition[] = [];
  const roots: RootPartition[] = [];
  for (const partition of await readPartitions(readAt, imageBytes)) {
    const start = await readAt(partition.offset, SUPERBLOCK_AT + SUPERBLOCK_BYTES);
    if (start.length < SUPERBLOCK_AT + SUPERBLOCK_BYTES) continue;
    const view = new DataView(start.buffer, start.byteOffset, start.length);
    if (view.getUint16(SUPERBLOCK_AT + 56, true) === EXT4_MAGIC) roots.push(rootOf(partition, view));
    else if (isFat(start)) boots.push(partition);
  }
  const [boot, root] = [boots[0], roots[0]];
  if (boot === undefined || root === undefined || boots.length > 1 || roots.length > 1) {
    throw new BoardsError(
      'refused',
      `the base image cannot be used: expected one FAT and one ext4 partition, as in Raspberry Pi OS and Debian; found ${boots.length} and ${roots.length}`,
    );
  }
  return { boot, root };
}

function rootOf(partition: Partition, view: DataView): RootPartition {
  const word = (at: number) => view.getUint32(SUPERBLOCK_AT + at, true);
  const features = word(96);
  const count = (low: number, high: number) =>
    word(low) + ((features & HAS_64_BIT_COUNTS) === 0 ? 0 : word(high)) * 2 ** 32;
  const blockBytes = 1024 * 2 ** word(24);
  const number = partition.number;
  if (word(24) > 6 || count(4, 0x150) * blockBytes > partition.bytes) {
    throw new BoardsError(
      'refused',
      `the base image cannot be used: the file system of partition ${number} is larger than the partition`,
    );
  }
  if ((view.getUint16(SUPERBLOCK_AT + 58, true) & CLEANLY_UNMOUNTED) === 0 || (features & NEEDS_RECOVERY) !== 0) {
    throw new BoardsError(
      'refused',
      `the file system of partition ${number} was not unmounted cleanly; take a stock image, not a copy of a running system`,
    );
  }
  return { ...partition, freeBytes: count(12, 0x158) * blockBytes, freeInodes: word(16) };
}

/** A FAT boot sector (Microsoft FAT specification, section 3): jump, 512 bytes a sector, name of the type, signature. */
function isFat(start: Uint8Array): boolean {
  const text = Buffer.from(start.buffer, start.byteOffset, SECTOR_BYTES).toString('latin1');
  const hasJump = start[0] === 0xeb || start[0] === 0xe9;
  const hasSectors = start[11] === 0x00 && start[12] === 0x02;
  const isNamed = /^FAT1[26]/.test(text.slice(54)) || text.slice(82).startsWith('FAT32');
  return hasJump && hasSectors && isNamed && start[510] === 0x55 && start[511] === 0xaa;
}
