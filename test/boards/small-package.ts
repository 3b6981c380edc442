import { debianPackage } from '../../boards/debian/debian-package.ts';
import { MAINTAINER_SCRIPTS } from '../../boards/debian/maintainer-scripts.ts';
import { packageFiles } from '../../boards/debian/package-files.ts';
import type { boardProfile } from '../../boards/index.ts';

/** A package as `pipevine bundle` makes it, around a program of one line that prints the version. */
export async function smallPackage(board: ReturnType<typeof boardProfile>, version: string): Promise<Uint8Array> {
  const timeSeconds = 1_800_000_000;
  const files = packageFiles({
    board,
    profile: 'edge',
    version,
    program: Buffer.from(`#!/bin/sh\necho ${version}\n`),
    commands: [],
    licenses: '',
    materials: '',
    timeSeconds,
  });
  const control = {
    Package: 'pipevine',
    Version: version,
    Architecture: board.architecture,
    Maintainer: 'A <a@b.c>',
    Depends: 'libc6 (>= 2.28), libstdc++6 (>= 9), systemd',
    Section: 'net',
    Priority: 'optional',
    Description: 'overlay of peers\n For a test.\n .\n Of several lines.',
  };
  const conffiles = files.flatMap(({ path }) => (path.startsWith('etc/') ? [`/${path}`] : []));
  return debianPackage({ control, files, scripts: MAINTAINER_SCRIPTS, conffiles, timeSeconds, compression: 'fast' });
}
