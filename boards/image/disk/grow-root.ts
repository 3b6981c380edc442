import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BoardsError } from '../../boards-error.ts';
import { runTool, type ToolInit } from '../system-tool.ts';
import type { RootPartition } from './image-layout.ts';
import {
  GPT_TYPE,
  MBR_ENTRIES,
  MBR_ENTRIES_AT,
  MBR_ENTRY_BYTES,
  type Partition,
  readerOf,
  SECTOR_BYTES,
} from './partition-table.ts';
import { copySparse } from './sparse-write.ts';

/** Of the new length. Cards are erased in units about so large. */
const ALIGNMENT_BYTES = 4 * 2 ** 20;
const MAX_SECTORS = 2 ** 32 - 1;

/**
 * Gives the root partition and its file system more room at the end of an image: resize2fs(8). Resolves with the new length of the
 * image; with undefined where that cannot be done, as the partition is not the last one of a master boot record.
 */
export async function growRoot(
  image: string,
  root: RootPartition,
  byBytes: number,
  tool: ToolInit,
): Promise<number | undefined> {
  const bytes = Math.ceil((root.bytes + byBytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const file = await open(join(tool.folder, image), 'r+');
  try {
    const table = Buffer.from(await readerOf(file)(0, SECTOR_BYTES));
    const entry = lastEntry(table, root);
    if (entry === undefined || bytes / SECTOR_BYTES > MAX_SECTORS) return undefined;
    await resize(file, root, bytes, tool);
    table.writeUInt32LE(bytes / SECTOR_BYTES, entry + 12);
    await file.write(table, 0, SECTOR_BYTES, 0);
    return root.offset + bytes;
  } finally {
    await file.close();
  }
}

/** Where the entry of the partition stands, if no other begins behind it. */
function lastEntry(table: Buffer, { number, offset }: Partition): number | undefined {
  const entries = Array.from({ length: MBR_ENTRIES }, (_, index) => MBR_ENTRIES_AT + index * MBR_ENTRY_BYTES);
  const isLast = entries.every((at) => table[at + 4] === 0 || table.readUInt32LE(at + 8) * SECTOR_BYTES <= offset);
  return isLast && !entries.some((at) => table[at + 4] === GPT_TYPE) ? entries[number - 1] : undefined;
}

/** In a file of its own: at an offset, resize2fs 1.47 cuts the image off. */
async function resize(image: FileHandle, root: RootPartition, bytes: number, tool: ToolInit): Promise<void> {
  const copy = join(tool.folder, 'root');
  const file = await open(copy, 'wx+', 0o600);
  try {
    await copySparse(readerOf(image), root, file, 0);
    await file.truncate(bytes);
    const { code, stderr } = await runTool('resize2fs', ['-f', 'root'], tool);
    if (code !== 0) {
      const reason = stderr.trim().split('\n').at(-1);
      throw new BoardsError('refused', `the root file system of the base image cannot be made larger: ${reason}`);
    }
    await image.truncate(root.offset);
    await copySparse(readerOf(file), { offset: 0, bytes }, image, root.offset);
  } finally {
    await file.close();
    await rm(copy);
  }
}
