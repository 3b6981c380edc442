import { BoardsError } from '../../boards-error.ts';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;

/** The members of an ar archive (deb(5)) by name, in their order. Throws `refused` for what is none. */
export function arMembers(archive: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length);
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) throw refused('it is no ar archive');
  const members = new Map<string, Uint8Array>();
  for (let at = MAGIC.length; at < bytes.length; ) {
    const header = bytes.toString('latin1', at, at + HEADER_BYTES);
    const size = /^(\d{1,10}) *$/.exec(header.slice(48, 58))?.[1];
    const start = at + HEADER_BYTES;
    if (size === undefined || header.slice(58) !== '`\n' || start + Number(size) > bytes.length) {
      throw refused(`its member at byte ${at} is damaged or cut off`);
    }
    members.set(header.slice(0, 16).trimEnd().replace(/\/$/, ''), bytes.subarray(start, start + Number(size)));
    at = start + Number(size) + (Number(size) % 2);
  }
  return members;
}

const refused = (fault: string) => new BoardsError('refused', `this is no Debian package: ${fault}`);
