/**
 * What one end of a pipe with a session of its own tells the other about what it has received: the plaintext of a sealed
 * acknowledgement, canonical CBOR `[next, limit, ? [*32 [first, last]], ? (true / code)]`, the members as in ACK. With true it
 * asks for one in return. With a code, which is one of UNBIND, it is the last: that end has closed the pipe.
 */
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readInteger, readText } from '../wire/shape.ts';
import { MAX_ACK_RANGES, MAX_CODE_CHARACTERS } from '../wire/wire-defaults.ts';
import type { Acknowledgement } from './frame-carrier.ts';

/** Longest plaintext: two numbers, 32 ranges of two, and a code. */
const MAX_REPORT_BYTES = 700;

export interface PipeReport extends Acknowledgement {
  /** Flow control, as in ACK. */
  readonly limit: number;
  /** The pipe has ended, with this code of UNBIND. */
  readonly ended?: string | undefined;
  /** The other end is to send one in return. */
  readonly asks?: boolean;
}

export function encodePipeReport({ next, limit, ranges, ended, asks }: PipeReport): Uint8Array {
  if (asks === true) return encodeCanonical([next, limit, ranges, true]);
  if (ended !== undefined) return encodeCanonical([next, limit, ranges, ended]);
  return encodeCanonical(ranges.length === 0 ? [next, limit] : [next, limit, ranges]);
}

/** Throws `malformed` or `too-large`. */
export function decodePipeReport(bytes: Uint8Array): PipeReport {
  const what = 'A sealed acknowledgement';
  const members = readArray(decodeStrict(bytes, { maxBytes: MAX_REPORT_BYTES }), what, { minLength: 2, maxLength: 4 });
  const next = readInteger(members[0], `${what}: next`);
  const limit = readInteger(members[1], `${what}: limit`);
  const ranges: (readonly [number, number])[] = [];
  if (members.length > 2) {
    let above = next;
    for (const range of readArray(members[2], `${what}: ranges`, { maxLength: MAX_ACK_RANGES })) {
      const pair = readArray(range, `${what}: a range`, { length: 2 });
      const first = readInteger(pair[0], `${what}: first of a range`, { min: above + 1 });
      const last = readInteger(pair[1], `${what}: last of a range`, { min: first });
      ranges.push([first, last]);
      above = last;
    }
  }
  if (members.length < 4) return { next, limit, ranges };
  if (members[3] === true) return { next, limit, ranges, asks: true };
  return { next, limit, ranges, ended: readText(members[3], `${what}: code`, { maxLength: MAX_CODE_CHARACTERS }) };
}
