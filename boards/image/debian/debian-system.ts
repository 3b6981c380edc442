import { chmod, glob, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runApart } from './apart.ts';
import { COMPONENTS, CUSTOMIZE_HOOK, ESSENTIAL_HOOK, PACKAGE_PATHS, PACKAGES, SUITE } from './debian-recipe.ts';
import { runWithArm64 } from './foreign-programs.ts';
import { archives, type DebianMirrors } from './package-index.ts';
import { CLOCK_FILE, LEFT_OVERS, SYSTEM_FILES, type SystemFile } from './system-files.ts';

export interface DebianSystemInit {
  readonly mirrors: DebianMirrors;
  /** Where the system is put; made here. */
  readonly folder: string;
  /** For what is removed at the end. */
  readonly work: string;
  /** Seconds since 1970: no file is newer. */
  readonly timeSeconds: number;
  readonly signal?: AbortSignal | undefined;
  readonly onStep: (step: string) => void;
}

/** The system of an image as a folder: Debian's packages, and the files that make of them a board that starts. */
export async function debianSystem(init: DebianSystemInit): Promise<void> {
  const { folder, timeSeconds, signal } = init;
  await bootstrap(init);
  for (const pattern of LEFT_OVERS) {
    for await (const path of glob(pattern, { cwd: folder })) await rm(join(folder, path), { recursive: true });
  }
  for (const file of SYSTEM_FILES) await put(folder, file);
  await writeFile(join(folder, CLOCK_FILE), '');
  await utimes(join(folder, CLOCK_FILE), timeSeconds, timeSeconds);
  const newer = [
    'find',
    folder,
    '-newermt',
    `@${timeSeconds}`,
    '-exec',
    'touch',
    '-h',
    '-d',
    `@${timeSeconds}`,
    '{}',
    '+',
  ];
  await runApart(newer, { signal });
}

async function bootstrap({ mirrors, folder, work, timeSeconds, signal, onStep }: DebianSystemInit): Promise<void> {
  const sources = archives(mirrors).map(({ url, suite }) => `deb ${url} ${suite} ${COMPONENTS.join(' ')}`);
  const command = [
    'mmdebstrap',
    '--mode=root',
    '--format=directory',
    '--architectures=arm64',
    '--variant=minbase',
    `--include=${PACKAGES.join(',')}`,
    ...PACKAGE_PATHS.map((rule) => `--dpkgopt=${rule}`),
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    // A snapshot of the archive is as old as it is wanted.
    ...(mirrors.mirror.includes('//snapshot.debian.org/') ? ['--aptopt=Acquire::Check-Valid-Until "false"'] : []),
    ...(await proxies(signal)).map((option) => `--aptopt=${option}`),
    `--essential-hook=${ESSENTIAL_HOOK}`,
    `--customize-hook=${CUSTOMIZE_HOOK}`,
    SUITE,
    folder,
    '-',
  ];
  await runWithArm64(command, {
    signal,
    stdin: sources.join('\n'),
    // INITRD keeps the kernel's package from making the initial RAM disk, which is made once all is there.
    env: { TMPDIR: work, SOURCE_DATE_EPOCH: `${timeSeconds}`, INITRD: 'No', DEBIAN_FRONTEND: 'noninteractive' },
    onLine: (line) => {
      const step = /^I: ((installing|downloading|extracting) .*?)(\.\.\.)?$/.exec(line)?.[1];
      if (step !== undefined) onStep(`Debian: ${step}`);
    },
  });
}

/** Those of the machine's apt, as options for another one. */
async function proxies(signal: AbortSignal | undefined): Promise<readonly string[]> {
  const dump = await runApart(['apt-config', 'dump'], { signal });
  return dump.split('\n').filter((line) => /^Acquire::https?::Proxy "[^"]+";$/.test(line));
}

/** What stands there is replaced, and never written through a link. */
async function put(folder: string, file: SystemFile): Promise<void> {
  const path = join(folder, file.path);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await rm(path, { force: true });
  if ('target' in file) {
    await symlink(file.target, path);
  } else {
    await writeFile(path, file.text);
    await chmod(path, file.mode ?? 0o644);
  }
}
