/**
 * How statements spread (docs/protocol/group.cddl), over the resolver's handler `group`.
 *
 *     follower                                   neighbour
 *        | query {1: what it holds}                  |
 *        |------------------------------------------>|
 *        |   each statement that it lacks, as signed |   charter first
 *        |<------------------------------------------|
 *        |   an empty answer: that was all           |
 *        |<------------------------------------------|
 *        |   from then on each that is new           |   until the follower cancels
 *        |<------------------------------------------|
 *
 * What it holds: an array of `[slot, sequence]`, where `slot` is the first 8 bytes of the SHA-256 of the text
 * `type issuer key` (the type's name, the issuer's peer id, the key, with single spaces).
 */
import { base32Decode, base32Encode } from '../id/base32.ts';
import type { Crypto } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap } from '../wire/shape.ts';
import { MAX_STATEMENTS } from './group-defaults.ts';
import { type Statement, slotOf } from './statement.ts';

/** Name of the handler. */
export const GROUP_HANDLER = 'group';
const WHAT = 'A query for statements';
const SLOT_BYTES = 8;
const textEncoder = new TextEncoder();

/** Slots by their digests as base32, with the sequence held of each. */
export type HeldStatements = ReadonlyMap<string, number>;

export function slotDigest(crypto: Crypto, statement: Statement): string {
  return base32Encode(crypto.sha256(textEncoder.encode(slotOf(statement))).subarray(0, SLOT_BYTES));
}

export function heldStatements(crypto: Crypto, statements: readonly Statement[]): HeldStatements {
  return new Map(statements.map((one) => [slotDigest(crypto, one), one.sequence]));
}

export function encodeStatementQuery(held: HeldStatements): Uint8Array {
  const entries = [...held].map(([slot, sequence]): CborInput => [base32Decode(slot) ?? '', sequence]);
  return encodeCanonical(new Map([[1, entries]]));
}

/** Throws `malformed`. */
export function decodeStatementQuery(bytes: Uint8Array): HeldStatements {
  const entries = readMap(decodeStrict(bytes), WHAT).array(1, 'held', { maxLength: MAX_STATEMENTS });
  return new Map(
    entries.map((entry) => {
      const [slot, sequence] = readArray(entry, `${WHAT}: entry`, { length: 2 });
      const digest = readBytes(slot, `${WHAT}: slot`, { length: SLOT_BYTES });
      return [base32Encode(digest), readInteger(sequence, `${WHAT}: sequence`)];
    }),
  );
}
