import { createHash } from 'node:crypto';
import { BoardsError } from '../../boards-error.ts';
import type { FileChange } from '../debugfs-commands.ts';
import { controlFields, type DebianPackage } from './debian-package-reader.ts';

export const STATUS_FILE = '/var/lib/dpkg/status';
/** A full desktop system has 2 MB. */
export const MAX_STATUS_BYTES = 32 * 2 ** 20;
const INFO_FOLDER = '/var/lib/dpkg/info';
/** Control files that dpkg keeps of an installed package. */
const KEPT_IN_INFO = new Set(['md5sums', 'conffiles', 'preinst', 'postinst', 'prerm', 'postrm', 'triggers', 'shlibs']);

/** What dpkg knows of the packages of an image. */
export interface InstalledPackages {
  /** Of the system itself: arm64, amd64, armhf. */
  readonly architecture: string;
  /** Versions of installed packages by name. */
  readonly versions: ReadonlyMap<string, string>;
}

/** Reads dpkg's list of packages. Throws `refused` where there is none. */
export function installedPackages(status: string): InstalledPackages {
  const versions = new Map<string, string>();
  let architecture: string | undefined;
  for (const stanza of status.split(/\n{2,}/)) {
    const fields = controlFields(stanza);
    const name = fields.get('Package');
    if (name === undefined || !/ (installed|config-files|unpacked|half-\w+)$/.test(fields.get('Status') ?? ''))
      continue;
    // What is left of a removed package counts only for Pipevine itself, whose files must not be taken for new ones.
    if (fields.get('Status')?.endsWith(' installed') || name === 'pipevine')
      versions.set(name, fields.get('Version') ?? '');
    if (name === 'dpkg') architecture = fields.get('Architecture');
  }
  if (architecture === undefined) {
    throw new BoardsError(
      'refused',
      `the image has no packages of dpkg in ${STATUS_FILE}; expected Raspberry Pi OS or Debian`,
    );
  }
  return { architecture, versions };
}

/** Throws `refused` where the package is there already, is for another architecture, or needs what the image lacks. */
export function checkInstallable({ control }: DebianPackage, { architecture, versions }: InstalledPackages): void {
  const present = versions.get('pipevine');
  if (present !== undefined) {
    throw new BoardsError(
      'refused',
      `the base image holds Pipevine ${present} already; take the stock image, or change the setup of this one: pipevine flash`,
    );
  }
  const wanted = control.get('Architecture');
  if (wanted !== architecture) {
    throw new BoardsError(
      'refused',
      `the base image is of a system for ${architecture}, and the board needs one for ${wanted}; take another of the two`,
    );
  }
  const absent = dependencies(control.get('Depends') ?? '').filter(
    (names) => !names.some((name) => versions.has(name)),
  );
  if (absent.length > 0) {
    const names = absent.map(([name]) => name).join(', ');
    throw new BoardsError(
      'refused',
      `the base image lacks packages that Pipevine needs: ${names}; take one that has them`,
    );
  }
}

/** Of each dependency the names that meet it. Versions are left to dpkg, which says so at the next upgrade. */
const dependencies = (depends: string): string[][] =>
  depends
    .split(',')
    .map((each) => each.split('|').flatMap((name) => /^\s*([a-z0-9][a-z0-9.+-]*)/.exec(name)?.slice(1) ?? []))
    .filter((names) => names.length > 0);

/**
 * The changes after which dpkg takes the package for one that it has installed: its stanza in the list of all, and its files in
 * `info`. Then upgrading, verifying and removing work as ever.
 */
export function dpkgRegistration({ control, files, controlFiles }: DebianPackage, status: string): FileChange[] {
  const text = (name: string) => Buffer.from(controlFiles.get(name)?.content ?? []).toString('utf8');
  const conffiles = text('conffiles')
    .split('\n')
    .filter((path) => path !== '');
  const sums = conffiles.map((path) => {
    const file = files.find((each) => `/${each.path}` === path);
    if (file?.type !== 'file')
      throw new BoardsError('refused', `the package has no ${path}, which it calls a conffile`);
    return ` ${path} ${createHash('md5').update(file.content).digest('hex')}`;
  });
  const stanza = [...control].flatMap(([name, value]) => {
    const line = `${name}: ${value}`;
    if (name === 'Package') return [line, 'Status: install ok installed'];
    return name === 'Description' && sums.length > 0 ? [`Conffiles:\n${sums.join('\n')}`, line] : [line];
  });
  const list = ['/.', ...files.map(({ path }) => `/${path}`)];
  const info = (name: string, mode: number, content: Uint8Array): FileChange => ({
    type: 'file',
    path: `${INFO_FOLDER}/pipevine.${name}`,
    mode,
    content,
  });
  return [
    ...[...controlFiles].flatMap(([name, file]) =>
      KEPT_IN_INFO.has(name) ? [info(name, file.mode, file.content)] : [],
    ),
    info('list', 0o644, Buffer.from(list.map((path) => `${path}\n`).join(''))),
    {
      type: 'file',
      path: STATUS_FILE,
      mode: 0o644,
      content: Buffer.from(`${status.trimEnd()}\n\n${stanza.join('\n')}\n\n`),
      replaces: true,
    },
  ];
}
