/**
 * Content of an `epoch` statement, by which an administrator makes a key of the group known to its members. The key itself
 * is never in a statement; see docs/protocol/propagate.md.
 *
 * | key | member   | value                                                                                      |
 * |-----|----------|--------------------------------------------------------------------------------------------|
 * |   1 | number   | of the epoch, from 1; the highest counts                                                   |
 * |   2 | key hash | SHA-256 of the epoch's 32-byte key                                                         |
 * |   3 | fromMs   | wall clock of the issuer when it made the key                                              |
 * |   4 | after    | `[* [issuer, sequence]]`: the revocation lists that the issuer held then |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap } from '../wire/shape.ts';

const WHAT = 'The content of an epoch';
/** Revocation lists that an epoch names: of so many administrators at most. */
export const MAX_EPOCH_LISTS = 64;

export interface EpochContent {
  readonly number: number;
  /** 32 bytes. */
  readonly keyHash: Uint8Array;
  readonly fromMs: number;
  /** Sequence of the newest revocation list of each issuer that whoever made the epoch had heard of. */
  readonly after: ReadonlyMap<PeerId, number>;
}

/** Throws `invalid-argument` when it names too many lists. */
export function encodeEpochContent({ number, keyHash, fromMs, after }: EpochContent): Uint8Array {
  if (after.size > MAX_EPOCH_LISTS) {
    throw new PipevineError('invalid-argument', `An epoch names ${MAX_EPOCH_LISTS} revocation lists at most.`);
  }
  const lists = [...after].map(([issuer, sequence]): CborInput => [peerIdToBytes(issuer), sequence]);
  return encodeCanonical(
    new Map<number, CborInput>([
      [1, number],
      [2, keyHash],
      [3, fromMs],
      [4, lists],
    ]),
  );
}

/** Throws `malformed`. */
export function readEpochContent(content: Uint8Array): EpochContent {
  const reader = readMap(decodeStrict(content), WHAT);
  const lists = reader.array(4, 'after', { maxLength: MAX_EPOCH_LISTS }).map((list) => {
    const [issuer, sequence] = readArray(list, `${WHAT}: list`, { length: 2 });
    return [
      peerIdFromBytes(readBytes(issuer, `${WHAT}: issuer`, { length: 32 })),
      readInteger(sequence, `${WHAT}: sequence`),
    ] as const;
  });
  return {
    number: reader.integer(1, 'number', { min: 1 }),
    keyHash: reader.bytes(2, 'key hash', { length: 32 }),
    fromMs: reader.integer(3, 'fromMs'),
    after: new Map(lists),
  };
}
