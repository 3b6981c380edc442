import { createHash } from 'node:crypto';
import { arArchive } from './ar-archive.ts';
import { type TarEntry, tarArchive } from './tar-archive.ts';
import { type Compression, xz } from './xz.ts';

export interface DebianPackageInit {
  /** Fields of the control file (deb-control(5)) but Installed-Size, in their order. */
  readonly control: Readonly<Record<string, string>>;
  /** What is installed; the folders above come by themselves. */
  readonly files: readonly TarEntry[];
  /** Scripts of the maintainer by name: postinst, prerm, postrm. */
  readonly scripts: Readonly<Record<string, string>>;
  /** Paths of files that belong to the administrator once they are installed; absolute. */
  readonly conffiles: readonly string[];
  readonly timeSeconds: number;
  readonly compression: Compression;
}

/** A binary package (deb(5)). The same content gives the same bytes, also where there is no dpkg. */
export async function debianPackage(init: DebianPackageInit): Promise<Uint8Array> {
  const { control, scripts, conffiles, timeSeconds, compression } = init;
  const files = withFolders(init.files);
  const installedBytes = files.reduce((sum, file) => sum + (file.type === 'file' ? file.content.length : 1024), 0);
  const fields = { ...control, 'Installed-Size': String(Math.ceil(installedBytes / 1024)) };
  const sums = files.flatMap((file) =>
    file.type === 'file' ? [`${createHash('md5').update(file.content).digest('hex')}  ${file.path}\n`] : [],
  );
  const text = (path: string, content: string, mode = 0o644): TarEntry => ({
    type: 'file',
    path,
    mode,
    content: Buffer.from(content),
  });
  const controlFiles: TarEntry[] = [
    { type: 'folder', path: '', mode: 0o755 },
    text(
      'control',
      Object.entries(fields)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join(''),
    ),
    text('md5sums', sums.join('')),
    ...(conffiles.length === 0 ? [] : [text('conffiles', conffiles.map((path) => `${path}\n`).join(''))]),
    ...Object.entries(scripts).map(([name, content]) => text(name, content, 0o755)),
  ];
  return arArchive(
    [
      { name: 'debian-binary', content: Buffer.from('2.0\n') },
      { name: 'control.tar.xz', content: await xz(tarArchive(controlFiles, timeSeconds), compression) },
      { name: 'data.tar.xz', content: await xz(tarArchive(files, timeSeconds), compression) },
    ],
    timeSeconds,
  );
}

function withFolders(files: readonly TarEntry[]): TarEntry[] {
  const folders = new Set(['']);
  for (const { path } of files) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at + 1));
  }
  const all = [...[...folders].map((path): TarEntry => ({ type: 'folder', path, mode: 0o755 })), ...files];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}
