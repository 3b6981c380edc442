import { BoardsError } from '../boards-error.ts';
import { addElfNote, stripElf } from './elf-executable.ts';

/** Node looks for its application only where the last character of this is a 1; it stands once in each executable. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0';
const NOTE_NAME = 'NODE_SEA_BLOB';

/** One executable of Node, without its symbols, and an application blob. */
export function singleExecutable(node: Uint8Array, blob: Uint8Array): Uint8Array {
  const image = stripElf(node);
  const stripped = Buffer.from(image.buffer, image.byteOffset, image.length);
  const at = stripped.indexOf(FUSE);
  if (at === -1 || stripped.indexOf(FUSE, at + 1) !== -1) {
    throw new BoardsError('environment', 'expected a Node that takes an application, once; is it another build?');
  }
  stripped[at + FUSE.length - 1] = '1'.charCodeAt(0);
  return addElfNote(stripped, NOTE_NAME, blob);
}
