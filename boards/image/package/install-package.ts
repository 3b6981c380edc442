import { BoardsError } from '../../boards-error.ts';
import type { FileChange } from '../debugfs-commands.ts';
import type { Ext4Partition, FoundFile } from '../ext4-partition.ts';
import type { DebianPackage } from './debian-package-reader.ts';
import {
  checkInstallable,
  dpkgRegistration,
  installedPackages,
  MAX_STATUS_BYTES,
  STATUS_FILE,
} from './dpkg-registration.ts';
import { enabledUnits, UNIT_FOLDER } from './enabled-units.ts';

/** Where systemd notes when /etc was last brought up to date: systemd-update-done.service(8). */
const UPDATED_FILE = '/etc/.updated';

/**
 * The changes that install a package into a system that does not run: its files, its units enabled, dpkg's knowledge of it. What
 * its maintainer's script would do besides is done at the next start: systemd-sysusers.service(8) makes the groups when /usr is
 * newer than /etc, as it is in an image that was never started. Throws `refused` for systems where it does not fit.
 */
export async function packageInstallation(
  root: Pick<Ext4Partition, 'find' | 'read'>,
  contents: DebianPackage,
  nowSeconds: number,
): Promise<readonly FileChange[]> {
  const status = (await root.read(STATUS_FILE, MAX_STATUS_BYTES))?.toString('utf8') ?? '';
  checkInstallable(contents, installedPackages(status));
  const place = await placesOf(root, contents);
  const changes: FileChange[] = [
    ...contents.files.map((file) => ({ ...file, path: place(`/${file.path}`) })),
    ...enabledUnits(contents.files).map((link): FileChange => ({ type: 'link', ...link })),
    ...dpkgRegistration(contents, status),
  ];
  const paths = [...new Set([UPDATED_FILE, ...changes.flatMap(({ path }) => [...foldersAbove(path), path])])];
  const found = await root.find(paths);
  const folders = new Map(changes.flatMap((change) => (change.type === 'folder' ? [[change.path, change.mode]] : [])));
  for (const { path } of changes)
    for (const folder of foldersAbove(path)) if (!folders.has(folder)) folders.set(folder, 0o755);
  return [
    ...[...folders]
      .sort()
      .flatMap(([path, mode]): FileChange[] =>
        isFolder(path, found.get(path)) ? [] : [{ type: 'folder', path, mode }],
      ),
    ...changes.filter((change) => change.type !== 'folder' && isNew(change, found.get(change.path))),
    ...(found.has(UPDATED_FILE) ? [{ type: 'touch', path: '/usr', timeSeconds: nowSeconds } as const] : []),
  ];
}

/** Debian has merged /bin, /sbin and /lib into /usr; a package may still name them. */
async function placesOf(
  root: Pick<Ext4Partition, 'find'>,
  { files }: DebianPackage,
): Promise<(path: string) => string> {
  const tops = [...new Set(files.map(({ path }) => `/${path.split('/')[0]}`))];
  const found = await root.find(tops);
  return (path) => {
    const top = `/${path.split('/')[1]}`;
    const target = found.get(top)?.target;
    return target === `usr${top}` || target === `/usr${top}` ? `/usr${path}` : path;
  };
}

const foldersAbove = (path: string): string[] =>
  path
    .split('/')
    .slice(1, -1)
    .map((_name, index, names) => `/${names.slice(0, index + 1).join('/')}`);

function isFolder(path: string, found: FoundFile | undefined): boolean {
  if (found === undefined || found.type === 'folder') return found !== undefined;
  throw new BoardsError(
    'refused',
    `${path} of the base image is a ${found.type}, expected a folder; take a stock image`,
  );
}

/** A file that nobody knows is not overwritten; a unit that is enabled already stays so. */
function isNew(change: FileChange, found: FoundFile | undefined): boolean {
  if (found === undefined || (change.type === 'file' && change.replaces)) return true;
  if (change.type === 'link' && found.type === 'link' && change.path.startsWith(`${UNIT_FOLDER}/`)) return false;
  throw new BoardsError(
    'refused',
    `the base image holds ${change.path} already, which is of no package; take a stock image`,
  );
}
