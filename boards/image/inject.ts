import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BoardsError } from '../boards-error.ts';
import { type BoardSetup, SETUP_FILE } from '../setup/board-setup.ts';
import type { FileChange } from './debugfs-commands.ts';
import { growRoot } from './disk/grow-root.ts';
import { type ImageLayout, type RootPartition, readLayout } from './disk/image-layout.ts';
import { type ReadAt, readerOf } from './disk/partition-table.ts';
import { copySparse } from './disk/sparse-write.ts';
import { Ext4Partition } from './ext4-partition.ts';
import { FatPartition } from './fat-partition.ts';
import type { DebianPackage } from './package/debian-package-reader.ts';
import { packageInstallation } from './package/install-package.ts';
import { checkBootFolder, FSTAB_FILE, MAX_FSTAB_BYTES } from './settings/boot-folder.ts';
import { hostSettings, type InitFormat } from './settings/host-settings.ts';
import { findSetup } from './setup-place.ts';
import { hasTool, runTool, type ToolInit } from './system-tool.ts';

export interface InjectionInit {
  /** Name of the unpacked image in the folder of the tools. */
  readonly image: string;
  readonly imageBytes: number;
  readonly contents: DebianPackage;
  readonly setup: BoardSetup;
  /** The same, encoded. */
  readonly setupBytes: Uint8Array;
  readonly tool: ToolInit;
  readonly onStep: (step: string) => void;
}

export interface Injected {
  /** Where the setup stands in the image. */
  readonly setupOffset: number;
  readonly format: InitFormat;
  /** Files on the boot partition that were added or changed. */
  readonly bootFiles: readonly string[];
}

/** Folders, their entries, and what the system writes before it grows to the size of its card. */
const SPARE_BYTES = 8 * 2 ** 20;
const SPARE_INODES = 64;

/** Changes an image in place; what fails leaves it half changed. Throws a BoardsError that says what is wrong with it. */
export async function inject(init: InjectionInit): Promise<Injected> {
  const { image, imageBytes, contents, setup, setupBytes, tool, onStep } = init;
  const file = await open(join(tool.folder, image));
  try {
    const readAt = readerOf(file);
    const layout = await readLayout(readAt, imageBytes);
    const nowSeconds = Math.trunc(Date.now() / 1_000);
    const root = new Ext4Partition(image, layout.root.offset, tool);
    const boot = new FatPartition(image, layout.boot.offset, tool);

    onStep('checking the base image');
    const fault = await root.fault();
    if (fault !== undefined)
      throw new BoardsError(
        'refused',
        `the root file system of the base image is damaged (${fault}); get the image again`,
      );
    const wasBootSound = await isBootSound(readAt, layout, tool);

    onStep('putting Pipevine into it');
    checkBootFolder((await root.read(FSTAB_FILE, MAX_FSTAB_BYTES))?.toString('utf8') ?? '');
    const changes = await packageInstallation(root, contents, nowSeconds);
    const settings = await hostSettings(boot, root, setup);
    await makeRoom({ image, readAt, root: layout.root, changes, tool, onStep });
    await root.change(changes);
    for (const { name, content } of settings.files) await boot.write(name, content);
    await boot.write(SETUP_FILE, setupBytes);
    const setupOffset = await findSetup(readAt, layout.boot);

    onStep('checking the new image');
    const damage = await root.fault();
    if (damage !== undefined)
      throw new BoardsError(
        'environment',
        `the root file system was damaged while it was written (${damage}); is e2fsprogs up to date?`,
      );
    if (wasBootSound && !(await isBootSound(readAt, layout, tool))) {
      throw new BoardsError(
        'environment',
        'the boot partition was damaged while it was written; is mtools up to date?',
      );
    }
    return { setupOffset, format: settings.format, bootFiles: [...settings.files.map(({ name }) => name), SETUP_FILE] };
  } finally {
    await file.close();
  }
}

interface Room extends Pick<InjectionInit, 'image' | 'tool' | 'onStep'> {
  readonly readAt: ReadAt;
  readonly root: RootPartition;
  readonly changes: readonly FileChange[];
}

/** Makes room where it is lacking. A stock image grows to the size of its card anyway. */
async function makeRoom({ image, readAt, root, changes, tool, onStep }: Room): Promise<void> {
  const neededBytes = changes.reduce(
    (sum, change) => sum + (change.type === 'file' ? change.content.length + 4096 : 4096),
    SPARE_BYTES,
  );
  const fits = ({ freeBytes, freeInodes }: RootPartition) =>
    neededBytes <= freeBytes && changes.length + SPARE_INODES <= freeInodes;
  if (fits(root)) return;
  onStep('making room');
  const imageBytes = await growRoot(image, root, Math.max(neededBytes - root.freeBytes, 0) + SPARE_BYTES, tool);
  if (imageBytes !== undefined && fits((await readLayout(readAt, imageBytes)).root)) return;
  const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);
  throw new BoardsError(
    'refused',
    `the root file system of the base image has ${megabytes(root.freeBytes)} MB free, and Pipevine needs ${megabytes(neededBytes)}; take a larger image`,
  );
}

/** By fsck.vfat(8), which needs a file of the partition alone. True where it is not installed: nothing is known against it. */
async function isBootSound(readAt: ReadAt, { boot }: ImageLayout, tool: ToolInit): Promise<boolean> {
  if (!hasTool('fsck.vfat')) return true;
  const copy = join(tool.folder, 'boot');
  const file = await open(copy, 'wx', 0o600);
  try {
    await copySparse(readAt, boot, file, 0);
    return (await runTool('fsck.vfat', ['-n', 'boot'], tool)).code === 0;
  } finally {
    await file.close();
    await rm(copy);
  }
}
