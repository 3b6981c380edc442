import { BoardsError } from '../../boards-error.ts';
import type { TarEntry } from '../../debian/tar-archive.ts';

const BLOCK_BYTES = 512;
/** A package of Pipevine has about 30. */
const MAX_ENTRIES = 10_000;
/** What needs no quoting in any tool; no part of a path begins with a dot, so that none leads upwards. */
const PLAIN_PATH = /^([A-Za-z0-9@_+:~-][A-Za-z0-9@._+:~-]{0,254})(\/[A-Za-z0-9@_+:~-][A-Za-z0-9@._+:~-]{0,254})*$/;
const PLAIN_TARGET = /^[A-Za-z0-9@._+:~/-]{1,255}$/;

/**
 * The entries of a tar archive (POSIX.1-1988 ustar) of files, folders and symbolic links that belong to root, as those are that
 * `tarArchive` writes; folders without a slash at the end, the topmost left out. Throws `refused` for anything else.
 */
export function tarEntries(archive: Uint8Array): readonly TarEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  const entries: TarEntry[] = [];
  for (let at = 0; ; ) {
    const header = bytes.subarray(at, at + BLOCK_BYTES);
    if (header.length < BLOCK_BYTES) throw refused('it is cut off');
    if (header.every((byte) => byte === 0)) return entries;
    const text = (from: number, length: number) => header.toString('utf8', from, from + length).replace(/\0.*$/s, '');
    const octal = (from: number, length: number) => {
      const digits = /^ *([0-7]+)[ \0]*$/.exec(header.toString('latin1', from, from + length))?.[1];
      if (digits === undefined) throw refused('a number in it is damaged');
      return Number.parseInt(digits, 8);
    };
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
    if (octal(148, 8) !== sum || text(257, 5) !== 'ustar') throw refused('a header in it is damaged');
    if (octal(108, 8) !== 0 || octal(116, 8) !== 0) throw refused('a file in it does not belong to root');
    const size = octal(124, 12);
    const content = bytes.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES + size);
    if (content.length < size) throw refused('it is cut off');
    const path = text(0, 100).replace(/^\.\//, '').replace(/\/$/, '');
    if (path !== '' && path !== '.')
      entries.push(entryOf(text(156, 1), path, octal(100, 8) & 0o7777, content, text(157, 100)));
    if (entries.length > MAX_ENTRIES) throw refused(`it has more than ${MAX_ENTRIES} files`);
    at += BLOCK_BYTES + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
}

function entryOf(flag: string, path: string, mode: number, content: Uint8Array, target: string): TarEntry {
  if (!PLAIN_PATH.test(path))
    throw refused(`it has a file ${JSON.stringify(path.slice(0, 60))}; only plain names are taken`);
  if (flag === '0' || flag === '') return { type: 'file', path, mode, content };
  if (flag === '5') return { type: 'folder', path, mode };
  if (flag === '2' && PLAIN_TARGET.test(target)) return { type: 'link', path, target };
  throw refused(`${path} in it is no file, folder or plain symbolic link`);
}

const refused = (fault: string) => new BoardsError('refused', `the archive in this package cannot be used: ${fault}`);
