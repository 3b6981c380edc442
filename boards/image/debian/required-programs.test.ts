import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requirePrograms } from './required-programs.ts';

const ALL = 'mmdebstrap arch-test qemu-aarch64-static unshare zstd mkfs.fat mcopy mke2fs e2fsck sfdisk'.split(' ');

function withPrograms(names: readonly string[], run: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'pipevine-programs-'));
  try {
    for (const name of names) {
      writeFileSync(join(folder, name), '');
      chmodSync(join(folder, name), 0o755);
    }
    run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it('is content when all is there, and root asks', () => {
  withPrograms(ALL, (path) => requirePrograms(path, true));
});

it('names all that is missing at once, and the packages that have it', () => {
  const some = ALL.filter((name) => !['mmdebstrap', 'mke2fs', 'e2fsck'].includes(name));
  withPrograms(some, (path) => {
    expect(() => requirePrograms(path, true)).toThrow(
      'needs mmdebstrap, mke2fs, e2fsck; run: apt-get install e2fsprogs mmdebstrap',
    );
  });
});

it('says that it needs root, and what does not', () => {
  withPrograms(ALL, (path) => expect(() => requirePrograms(path, false)).toThrow(/sudo.*--base/));
});
