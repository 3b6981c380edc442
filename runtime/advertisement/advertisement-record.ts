/**
 * What the store keeps in the storage. Table `advertisement`: slot to the COSE_Sign1. Table `advertisement-index`: slot
 * to a small record, so that a start reads no bodies and verifies no signatures:
 *
 *     held: [0, own, sequence, expiresAtMs, group, kind, publisher, key, name, attributes]
 *     gone: [1, own, sequence, goneAtMs, publisher]
 *
 * Times are of the AgeClock, whose mark is in table `advertisement-clock` under `mark`.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBoolean, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import { ADVERTISEMENT_KINDS, type AdvertisementKind } from './advertisement.ts';
import type { AdvertisementFacts } from './advertisement-index.ts';

export const ENCODED_TABLE = 'advertisement';
export const INDEX_TABLE = 'advertisement-index';
export const CLOCK_TABLE = 'advertisement-clock';
export const CLOCK_KEY = 'mark';

/** 120 bits of a hash: no two names that anybody can find share a slot. */
const SLOT_BYTES = 15;
const WHAT = 'A stored advertisement record';
const textEncoder = new TextEncoder();

/** What names an advertisement. */
export interface AdvertisementName {
  readonly group: GroupId;
  readonly kind: AdvertisementKind;
  readonly publisher: PeerId;
  readonly key: string;
}

/** A short name for group, kind, publisher and key. The ids have a fixed length and a kind has no space: no ambiguity. */
export function slotOf(crypto: Crypto, name: AdvertisementName): string {
  const text = `${name.group} ${name.kind} ${name.publisher} ${name.key}`;
  return base32Encode(crypto.sha256(textEncoder.encode(text)).subarray(0, SLOT_BYTES));
}

export type AdvertisementRecord =
  | { readonly state: 'held'; readonly own: boolean; readonly expiresAtMs: number; readonly facts: AdvertisementFacts }
  | {
      readonly state: 'gone';
      readonly own: boolean;
      readonly sequence: number;
      readonly goneAtMs: number;
      readonly publisher: PeerId;
    };

export function encodeRecord(record: AdvertisementRecord): Uint8Array {
  if (record.state === 'gone') {
    return encodeCanonical([1, record.own, record.sequence, record.goneAtMs, peerIdToBytes(record.publisher)]);
  }
  const { facts } = record;
  return encodeCanonical([
    0,
    record.own,
    facts.sequence,
    record.expiresAtMs,
    groupIdToBytes(facts.group),
    ADVERTISEMENT_KINDS.indexOf(facts.kind),
    peerIdToBytes(facts.publisher),
    facts.key,
    facts.name,
    facts.attributes,
  ]);
}

/** Throws `malformed` for what `encodeRecord` did not write. */
export function decodeRecord(bytes: Uint8Array): AdvertisementRecord {
  const members = readArray(decodeStrict(bytes), WHAT, { minLength: 5, maxLength: 10 });
  const own = readBoolean(members[1], WHAT);
  const sequence = readInteger(members[2], WHAT);
  const timeMs = readInteger(members[3], WHAT);
  if (members[0] === 1) {
    return { state: 'gone', own, sequence, goneAtMs: timeMs, publisher: peerIdFromBytes(id(members[4])) };
  }
  const kind = ADVERTISEMENT_KINDS[readInteger(members[5], WHAT)];
  if (members[0] !== 0 || kind === undefined) throw new PipevineError('malformed', `${WHAT} of an unknown form.`);
  const attributes = new Map<string, string>();
  for (const [name, value] of readMap(members[9], WHAT).map) attributes.set(String(name), readText(value, WHAT));
  return {
    state: 'held',
    own,
    expiresAtMs: timeMs,
    facts: {
      sequence,
      group: groupIdFromBytes(id(members[4])),
      kind,
      publisher: peerIdFromBytes(id(members[6])),
      key: readText(members[7], WHAT),
      name: readText(members[8], WHAT),
      attributes,
    },
  };
}

function id(value: Parameters<typeof readBytes>[0]): Uint8Array {
  return readBytes(value, WHAT, { length: 32 });
}
