/**
 * Advertisement on the wire: a COSE_Sign1 (see cose-sign1.ts) in the domain `pipevine/1 advertisement`, signed by the
 * publisher, whose payload is canonical CBOR (docs/protocol/advertisement.cddl):
 *
 * | key | member       | value                                                    |
 * |-----|--------------|----------------------------------------------------------|
 * |   1 | kind         | 0 peer, 1 group, 2 pipe, 3 thing, 4 route, 5 name, 6 module, 7 content, 8 delegation |
 * |   2 | group        | 32 bytes                                                 |
 * |   3 | key          | text; absent when empty                                  |
 * |   4 | sequence     | unsigned                                                 |
 * |   5 | issuedAtMs   | unsigned                                                 |
 * |   6 | expirationMs | unsigned; 0 withdraws                                    |
 * |   7 | name         | text; absent when empty                                  |
 * |   8 | attributes   | map of text to text; absent when empty                   |
 * |   9 | body         | bytes; absent when empty                                 |
 *
 * Unknown keys are carried and ignored. The payload must be what encoding it again gives.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import type { Identity } from '../id/identity.ts';
import { peerIdFromBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import type { CborValue } from '../wire/cbor-value.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap, readText } from '../wire/shape.ts';
import { ADVERTISEMENT_KINDS, type Advertisement, type AdvertisementKind } from './advertisement.ts';
import {
  MAX_ADVERTISED_NAME_BYTES,
  MAX_ADVERTISEMENT_BYTES,
  MAX_ATTRIBUTE_NAME_BYTES,
  MAX_ATTRIBUTE_VALUE_BYTES,
  MAX_ATTRIBUTES,
  MAX_BODY_BYTES,
  MAX_KEY_BYTES,
} from './advertisement-defaults.ts';
import { type CoseSign1, decodeCose, equalBytes, signCose, verifyCose } from './cose-sign1.ts';

const DOMAIN = 'pipevine/1 advertisement';
const WHAT = 'An advertisement';
const EMPTY_BYTES = new Uint8Array(0);
const EMPTY_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const KIND_CODES = new Map<AdvertisementKind, number>(ADVERTISEMENT_KINDS.map((kind, code) => [kind, code]));
const textEncoder = new TextEncoder();

/** What a publisher signs: all of an advertisement but who signs and how it then looks. */
export type AdvertisementFields = Omit<Advertisement, 'publisher' | 'encoded'>;

/**
 * Signs an advertisement. Throws `invalid-argument` when a member is out of bounds, `too-large` when the body or the
 * whole is too long.
 */
export function signAdvertisement(identity: Identity, fields: AdvertisementFields): Advertisement {
  checkFields(fields);
  const payload = encodeCanonical(
    new Map<number, CborValue | undefined>([
      [1, KIND_CODES.get(fields.kind)],
      [2, groupIdToBytes(fields.group)],
      [3, fields.key === '' ? undefined : fields.key],
      [4, fields.sequence],
      [5, fields.issuedAtMs],
      [6, fields.expirationMs],
      [7, fields.name === '' ? undefined : fields.name],
      [8, fields.attributes.size === 0 ? undefined : fields.attributes],
      [9, fields.body.length === 0 ? undefined : fields.body],
    ]),
  );
  const encoded = signCose(identity.signing, DOMAIN, payload);
  if (encoded.length > MAX_ADVERTISEMENT_BYTES) {
    throw new PipevineError(
      'too-large',
      `The advertisement "${fields.name}" has ${encoded.length} bytes; at most ${MAX_ADVERTISEMENT_BYTES} are allowed. Shorten its body or attributes.`,
    );
  }
  const advertisement = { ...fields, publisher: identity.id, encoded };
  checkAuthority(advertisement);
  return advertisement;
}

/** Checks everything: sizes, canonical form, bounds, signature. Throws `too-large`, `malformed` or `forged`. */
export function verifyAdvertisement(crypto: Crypto, encoded: Uint8Array): Advertisement {
  const unverified = decodeAdvertisement(encoded);
  unverified.verify(crypto);
  return unverified.advertisement;
}

/** A well-formed advertisement whose signature nobody has looked at yet. */
export interface UnverifiedAdvertisement {
  /** Not to be believed before `verify` has returned. */
  readonly advertisement: Advertisement;
  /** Throws `forged`. */
  verify(crypto: Crypto): void;
}

/** Decodes without looking at the signature. Throws `too-large`, `malformed`, or `forged` for a group advertisement of a stranger. */
export function decodeAdvertisement(encoded: Uint8Array): UnverifiedAdvertisement {
  const cose = decodeCose(encoded, WHAT, MAX_ADVERTISEMENT_BYTES);
  const advertisement = decodePayload(cose, encoded);
  checkAuthority(advertisement);
  return { advertisement, verify: (crypto) => verifyCose(crypto, DOMAIN, cose, WHAT) };
}

/** Decodes what this peer verified before it stored it. Throws `too-large` or `malformed`. */
export function decodeStoredAdvertisement(encoded: Uint8Array): Advertisement {
  return decodePayload(decodeCose(encoded, WHAT, MAX_ADVERTISEMENT_BYTES), encoded, true);
}

function decodePayload(cose: CoseSign1, encoded: Uint8Array, isCanonical = false): Advertisement {
  const value = decodeStrict(cose.payload);
  if (!isCanonical && !equalBytes(encodeCanonical(value), cose.payload)) {
    throw new PipevineError('malformed', `${WHAT}: the payload is not in canonical order and shortest form.`);
  }
  const reader = readMap(value, WHAT);
  const kind = ADVERTISEMENT_KINDS[reader.integer(1, 'kind', { max: 255 })];
  if (kind === undefined) {
    throw new PipevineError(
      'malformed',
      `${WHAT} of kind ${String(reader.value(1))}: only 0 to ${ADVERTISEMENT_KINDS.length - 1} are known.`,
    );
  }
  return {
    kind,
    group: groupIdFromBytes(reader.bytes(2, 'group', { length: 32 })),
    publisher: peerIdFromBytes(cose.signer),
    key: present(reader.optionalText(3, 'key', { maxBytes: MAX_KEY_BYTES }), 'key') ?? '',
    sequence: reader.integer(4, 'sequence'),
    issuedAtMs: reader.integer(5, 'issuedAtMs'),
    expirationMs: reader.integer(6, 'expirationMs'),
    name: present(reader.optionalText(7, 'name', { maxBytes: MAX_ADVERTISED_NAME_BYTES }), 'name') ?? '',
    attributes: reader.has(8) ? readAttributes(reader.value(8)) : EMPTY_ATTRIBUTES,
    body: present(reader.optionalBytes(9, 'body', { maxLength: MAX_BODY_BYTES }), 'body') ?? EMPTY_BYTES,
    encoded,
  };
}

function readAttributes(value: CborValue | undefined): ReadonlyMap<string, string> {
  const entries = readMap(value, `${WHAT}: attributes`).map;
  if (entries.size === 0 || entries.size > MAX_ATTRIBUTES) {
    throw new PipevineError(
      'malformed',
      `${WHAT} has 1 to ${MAX_ATTRIBUTES} attributes, or no such member, not ${entries.size}.`,
    );
  }
  const attributes = new Map<string, string>();
  for (const [key, member] of entries) {
    const name = readText(typeof key === 'string' ? key : null, `${WHAT}: name of an attribute`, {
      maxBytes: MAX_ATTRIBUTE_NAME_BYTES,
    });
    if (name === '') throw new PipevineError('malformed', `${WHAT}: an attribute without a name.`);
    attributes.set(name, readText(member, `${WHAT}: an attribute`, { maxBytes: MAX_ATTRIBUTE_VALUE_BYTES }));
  }
  return attributes;
}

/** An empty member would be a second encoding of an absent one. */
function present<T extends string | Uint8Array>(value: T | undefined, what: string): T | undefined {
  if (value?.length === 0) throw new PipevineError('malformed', `${WHAT}: an empty ${what} must be left out.`);
  return value;
}

/** A group advertisement speaks for the whole group, so only the key that the group is may sign it. */
function checkAuthority(advertisement: Advertisement): void {
  if (advertisement.kind !== 'group') return;
  if (peerIdFromBytes(groupIdToBytes(advertisement.group)) !== advertisement.publisher) {
    throw new PipevineError('forged', 'A group advertisement must be signed by the authority of its group.');
  }
}

function checkFields(fields: AdvertisementFields): void {
  if (!KIND_CODES.has(fields.kind))
    fail(`kind "${fields.kind}" is unknown; expected ${ADVERTISEMENT_KINDS.join(', ')}`);
  checkText('key', fields.key, MAX_KEY_BYTES);
  checkText('name', fields.name, MAX_ADVERTISED_NAME_BYTES);
  checkCount('sequence', fields.sequence);
  checkCount('issuedAtMs', fields.issuedAtMs);
  checkCount('expirationMs', fields.expirationMs);
  if (fields.attributes.size > MAX_ATTRIBUTES) {
    fail(`${fields.attributes.size} attributes; at most ${MAX_ATTRIBUTES} are allowed`);
  }
  for (const [name, value] of fields.attributes) {
    if (name === '') fail('an attribute needs a name');
    checkText('name of an attribute', name, MAX_ATTRIBUTE_NAME_BYTES);
    checkText(`attribute "${name}"`, value, MAX_ATTRIBUTE_VALUE_BYTES);
  }
  if (fields.body.length > MAX_BODY_BYTES) {
    throw new PipevineError(
      'too-large',
      `The body of advertisement "${fields.name}" has ${fields.body.length} bytes; at most ${MAX_BODY_BYTES} are allowed.`,
    );
  }
}

function checkText(what: string, text: string, maxBytes: number): void {
  if (typeof text !== 'string' || !text.isWellFormed()) fail(`the ${what} must be well-formed text`);
  if (text.length > maxBytes || textEncoder.encode(text).length > maxBytes) {
    fail(`the ${what} "${text.slice(0, 40)}" is longer than ${maxBytes} bytes of UTF-8`);
  }
}

function checkCount(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) fail(`${what} must be a whole number from 0 on, not ${value}`);
}

function fail(what: string): never {
  throw new PipevineError('invalid-argument', `The advertisement cannot be signed: ${what}.`);
}
