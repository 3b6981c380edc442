import { beginsBoardSetup, isBoardSetupAt, SETUP_BYTES } from '../setup/board-setup.ts';

/** File systems on cards place files at multiples of this. */
const SECTOR_BYTES = 512;

/**
 * The chunks of an image as they come, and each setup file in them, in one piece, to `onSetup`: at which byte of the image it
 * stands, and its bytes, which may be changed in place. Holds back what may be the beginning of a setup until the rest is there.
 */
export async function* watchSetups(
  chunks: AsyncIterable<Uint8Array>,
  onSetup: (offset: number, file: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let offset = 0; // of `held` in the image; a multiple of a sector
  let held: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) {
    const window = held.length === 0 ? chunk : joined(held, chunk);
    const ready = scan(window, (at, file) => onSetup(offset + at, file));
    if (ready > 0) yield window.subarray(0, ready);
    offset += ready;
    held = window.slice(ready); // the chunk is the source's again
  }
  if (held.length > 0) yield held;
}

/** Looks at whole sectors. Up to which byte all is settled. */
function scan(window: Uint8Array, onSetup: (at: number, file: Uint8Array) => void): number {
  let at = 0;
  while (at + SECTOR_BYTES <= window.length) {
    if (beginsBoardSetup(window, at)) {
      if (at + SETUP_BYTES > window.length) return at;
      if (isBoardSetupAt(window, at)) {
        onSetup(at, window.subarray(at, at + SETUP_BYTES));
        at += SETUP_BYTES;
        continue;
      }
    }
    at += SECTOR_BYTES;
  }
  return at;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
