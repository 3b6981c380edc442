import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runApart } from './apart.ts';
import { BOOT_LABEL, ROOT_LABEL } from './debian-recipe.ts';

export interface DiskImageInit {
  /** The system; its folder boot/firmware becomes the boot partition. */
  readonly system: string;
  /** The image; made here. */
  readonly file: string;
  readonly work: string;
  /** Seconds since 1970 that the file systems bear. */
  readonly timeSeconds: number;
  readonly signal?: AbortSignal | undefined;
}

const MIB = 2 ** 20;
const SECTORS_PER_MIB = 2_048;

/** What counts for what an image is, besides its content. The same content gives the same names of disk and file systems. */
export const DISK_LAYOUT = {
  /** Where partitions begin: what cards erase at once is no larger. */
  alignmentMiB: 4,
  /** Room for two kernels with their initial RAM disks, as upgrades need, and more. */
  bootMiB: 256,
  /** Beside the content: for the board's package, and until the file system has the whole card. Zeros pack to nothing. */
  spareMiB: 256,
  diskId: '0x5eed0001',
  volumeId: '5eed0001',
  rootId: '5b0d3c1e-6f0a-4c43-9c5e-0b7a5eed0001',
  hashSeed: '5b0d3c1e-6f0a-4c43-9c5e-0b7a5eed0002',
} as const;

/**
 * An image with a master boot record, which is all that the firmware before model 4 knows, a FAT partition for the firmware and an
 * ext4 one for the system.
 */
export async function diskImage({ system, file, work, timeSeconds, signal }: DiskImageInit): Promise<void> {
  const { alignmentMiB, bootMiB, spareMiB, diskId, volumeId, rootId, hashSeed } = DISK_LAYOUT;
  const firmware = join(work, 'firmware');
  await rename(join(system, 'boot/firmware'), firmware);
  await mkdir(join(system, 'boot/firmware'), { mode: 0o755 });
  const env = { SOURCE_DATE_EPOCH: `${timeSeconds}`, E2FSPROGS_FAKE_TIME: `${timeSeconds}` };
  const run = (command: readonly string[], stdin = '') => runApart(command, { signal, env, stdin });
  // As the preparation has just changed it.
  await run(['touch', `--date=@${timeSeconds}`, join(system, 'boot'), join(system, 'boot/firmware')]);

  const usedMiB = Number((await run(['du', '-sm', '--apparent-size', system])).split('\t')[0]);
  const rootAt = alignmentMiB + bootMiB;
  const rootMiB = Math.ceil((usedMiB * 1.12 + spareMiB) / alignmentMiB) * alignmentMiB;
  const image = await open(file, 'wx', 0o600);
  await image.truncate((rootAt + rootMiB) * MIB);
  await image.close();

  const table = `label: dos
label-id: ${diskId}
start=${alignmentMiB}MiB, size=${bootMiB}MiB, type=c, bootable
start=${rootAt}MiB, size=${rootMiB}MiB, type=83
`;
  await run(['sfdisk', '--quiet', file], table);
  const fat = join(work, 'fat');
  await run(['truncate', `--size=${bootMiB}M`, fat]);
  // Small clusters, as FAT32 has at least 65,525 of them; the sectors before it.
  const options = `-F 32 -s 4 -h ${alignmentMiB * SECTORS_PER_MIB} -n ${BOOT_LABEL} -i ${volumeId}`;
  await run(['mkfs.fat', ...options.split(' '), fat]);
  await run(['sh', '-c', 'cd "$1" && exec mcopy -i "$2" -s -m * ::/', 'sh', firmware, fat]);
  await run(['fsck.fat', '-n', fat]);
  const place = [`bs=${alignmentMiB}M`, 'seek=1', 'conv=notrunc,sparse', 'status=none'];
  await run(['dd', `if=${fat}`, `of=${file}`, ...place]);
  await rm(fat);

  const format = `-q -t ext4 -b 4096 -i 16384 -m 1 -L ${ROOT_LABEL} -U ${rootId} -O ^metadata_csum_seed,^orphan_file`;
  const extended = `offset=${rootAt * MIB},hash_seed=${hashSeed},lazy_itable_init=0,lazy_journal_init=0`;
  await run(['mke2fs', ...format.split(' '), '-E', extended, '-d', system, file, `${rootMiB}M`]);
  await run(['e2fsck', '-f', '-n', `${file}?offset=${rootAt * MIB}`]);
  await rm(firmware, { recursive: true });
}
