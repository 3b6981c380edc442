import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type DebianPackageInit, debianPackage } from './debian-package.ts';
import { tarArchive } from './tar-archive.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipevine-deb-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const init: DebianPackageInit = {
  control: { Package: 'sample', Version: '1.0', Architecture: 'all', Maintainer: 'A <a@b.c>', Description: 'a sample' },
  files: [
    { type: 'file', path: 'usr/bin/sample', mode: 0o755, content: Buffer.from('#!/bin/sh\n') },
    { type: 'link', path: 'usr/bin/other', target: 'sample' },
    { type: 'file', path: 'etc/sample.conf', mode: 0o644, content: Buffer.from('x') },
  ],
  scripts: { postinst: '#!/bin/sh\nexit 0\n' },
  conffiles: ['/etc/sample.conf'],
  timeSeconds: 1_700_000_000,
  compression: 'fast',
};

/** Reads an ar archive by its description in deb(5). */
function membersOf(archive: Uint8Array): Map<string, Uint8Array> {
  const bytes = Buffer.from(archive);
  expect(bytes.toString('latin1', 0, 8)).toBe('!<arch>\n');
  const members = new Map<string, Uint8Array>();
  for (let at = 8; at < bytes.length; ) {
    const size = Number(bytes.toString('latin1', at + 48, at + 58));
    expect(bytes.toString('latin1', at + 58, at + 60)).toBe('`\n');
    members.set(bytes.toString('latin1', at, at + 16).trim(), bytes.subarray(at + 60, at + 60 + size));
    at += 60 + size + (size % 2);
  }
  return members;
}

it('is a package to ar and tar: control, then data, in order, owned by root', async () => {
  const members = membersOf(await debianPackage(init));
  expect([...members.keys()]).toEqual(['debian-binary', 'control.tar.xz', 'data.tar.xz']);
  for (const [name, content] of members) writeFileSync(join(folder, name), content);
  expect(readFileSync(join(folder, 'debian-binary'), 'utf8')).toBe('2.0\n');
  const list = (file: string) =>
    execFileSync('tar', ['-tJf', file], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
  expect(list('control.tar.xz')).toEqual(['./', './control', './md5sums', './conffiles', './postinst']);
  expect(list('data.tar.xz')).toEqual([
    './',
    './etc/',
    './etc/sample.conf',
    './usr/',
    './usr/bin/',
    './usr/bin/other',
    './usr/bin/sample',
  ]);
  execFileSync('tar', ['-xJf', 'data.tar.xz'], { cwd: folder });
  expect(readFileSync(join(folder, 'usr/bin/other'), 'utf8')).toBe('#!/bin/sh\n');
  expect(statSync(join(folder, 'usr/bin/sample')).mode & 0o777).toBe(0o755);
  expect(statSync(join(folder, 'etc/sample.conf')).mtimeMs).toBe(1_700_000_000_000);
});

it('has the same bytes each time', async () => {
  expect(Buffer.compare(await debianPackage(init), await debianPackage(init))).toBe(0);
});

it('refuses a path that a tar header cannot hold, instead of cutting it', () => {
  const path = 'a'.repeat(120);
  expect(() => tarArchive([{ type: 'folder', path, mode: 0o755 }], 0)).toThrow(/longer than the 100 bytes/);
});
