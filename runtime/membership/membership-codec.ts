/**
 * The membership protocol: requests and answers over a request pipe in the world group, service `membership`. Maps of
 * canonical CBOR with integer keys (docs/protocol/membership.cddl):
 *
 * | request         | 0 type | members                              | answer                                           |
 * |-----------------|--------|--------------------------------------|--------------------------------------------------|
 * | find            |      1 | ? 3 pattern of names                 | 1 [* charter]                                    |
 * | apply           |      2 | 1 fingerprint or 2 group             | 1 charter, 2 proof, 3 nowMs, ? 4 salt, ? 5 nonce |
 * | join-open       |      3 | 2 group, 3 name                      | membership                                       |
 * | join-code       |      4 | 2 group, 3 name, 4 secret            | membership                                       |
 * | password-begin  |      5 | 2 group, 5 nonce, 6 share            | 1 share, 2 tag                                   |
 * | password-finish |      6 | 2 group, 3 name, 7 tag               | membership                                       |
 * | join-approval   |      7 | 2 group, 3 name, 5 nonce, 8 askedAtMs | membership or pending                           |
 * | renew           |      8 | 2 group, 9 credential                | membership or pending                            |
 * | resign          |      9 | 2 group, 9 credential                | empty map                                        |
 *
 * Membership: 1 credential, 2 [* statement]: the charter and the revocations. Pending: 3 approvals that are there, 4 those
 * that it takes. The proof is the responder's own credential, as administrator or approver of the group: the applicant
 * checks it before it tells anything that matters. What goes wrong is an error of the request pipe.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_ENCODED_CREDENTIAL_BYTES } from '../group/group-defaults.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readBytes, readMap } from '../wire/shape.ts';
import { FINGERPRINT_BYTES } from './group-fingerprint.ts';
import { JOIN_SECRET_BYTES } from './join-code.ts';
import {
  MAX_APPLICANT_NAME_BYTES,
  MAX_GROUPS_FOUND,
  MAX_MEMBERSHIP_MESSAGE_BYTES,
  MAX_STATEMENTS_ALONG,
  NONCE_BYTES,
  SALT_BYTES,
} from './membership-defaults.ts';

const REQUEST = 'A membership request';
const ANSWER = 'A membership answer';
const SHARE_BYTES = 32;
const MAX_TAG_BYTES = 64;

/** In the order of their numbers on the wire, from 1. */
const TYPES = [
  'find',
  'apply',
  'join-open',
  'join-code',
  'password-begin',
  'password-finish',
  'join-approval',
  'renew',
  'resign',
] as const;

interface Members {
  readonly fingerprint: Uint8Array;
  readonly group: GroupId;
  /** The applicant's; for `find` a pattern with `*`. */
  readonly name: string;
  readonly secret: Uint8Array;
  readonly nonce: Uint8Array;
  readonly share: Uint8Array;
  readonly tag: Uint8Array;
  readonly askedAtMs: number;
  readonly credential: Uint8Array;
}

type Request<Type extends (typeof TYPES)[number], Keys extends keyof Members> = { readonly type: Type } & Pick<
  Members,
  Keys
>;

export type MembershipRequest =
  | Request<'find', 'name'>
  | Request<'apply', 'fingerprint'>
  | Request<'apply', 'group'>
  | Request<'join-open', 'group' | 'name'>
  | Request<'join-code', 'group' | 'name' | 'secret'>
  | Request<'password-begin', 'group' | 'nonce' | 'share'>
  | Request<'password-finish', 'group' | 'name' | 'tag'>
  | Request<'join-approval', 'group' | 'name' | 'nonce' | 'askedAtMs'>
  | Request<'renew', 'group' | 'credential'>
  | Request<'resign', 'group' | 'credential'>;

export interface ApplyAnswer {
  /** The encoded charter statement of the group. */
  readonly charter: Uint8Array;
  readonly proof: Uint8Array;
  /** The responder's wall clock. */
  readonly nowMs: number;
  /** For a password: what it is stretched with, and the responder's part of the session id. */
  readonly password?: { readonly salt: Uint8Array; readonly nonce: Uint8Array } | undefined;
}

export interface PasswordAnswer {
  readonly share: Uint8Array;
  readonly tag: Uint8Array;
}

export type MembershipAnswer =
  | { readonly state: 'joined'; readonly credential: Uint8Array; readonly statements: readonly Uint8Array[] }
  | { readonly state: 'pending'; readonly have: number; readonly needed: number };

export function encodeMembershipRequest(request: MembershipRequest): Uint8Array {
  const members: Partial<Members> = request;
  return encode([
    [0, TYPES.indexOf(request.type) + 1],
    [1, members.fingerprint],
    [2, members.group && groupIdToBytes(members.group)],
    [3, members.name],
    [4, members.secret],
    [5, members.nonce],
    [6, members.share],
    [7, members.tag],
    [8, members.askedAtMs],
    [9, members.credential],
  ]);
}

/** Throws `too-large`, `malformed`, or `unsupported` for a request of a later version. */
export function decodeMembershipRequest(bytes: Uint8Array): MembershipRequest {
  const reader = read(bytes, REQUEST);
  const number = reader.integer(0, 'type');
  const type = TYPES[number - 1];
  if (type === undefined) {
    throw new PipevineError('unsupported', `${REQUEST} of type ${number} is unknown here: 1 to ${TYPES.length} are.`);
  }
  const name = () => reader.text(3, 'name', { maxBytes: MAX_APPLICANT_NAME_BYTES });
  if (type === 'find') return { type, name: name() };
  if (type === 'apply' && reader.has(1)) {
    return { type, fingerprint: reader.bytes(1, 'fingerprint', { length: FINGERPRINT_BYTES }) };
  }
  const group = groupIdFromBytes(reader.bytes(2, 'group', { length: 32 }));
  const nonce = () => reader.bytes(5, 'nonce', { length: NONCE_BYTES });
  switch (type) {
    case 'apply':
      return { type, group };
    case 'join-open':
      return { type, group, name: name() };
    case 'join-code':
      return { type, group, name: name(), secret: reader.bytes(4, 'secret', { length: JOIN_SECRET_BYTES }) };
    case 'password-begin':
      return { type, group, nonce: nonce(), share: reader.bytes(6, 'share', { length: SHARE_BYTES }) };
    case 'password-finish':
      return { type, group, name: name(), tag: reader.bytes(7, 'tag', { maxLength: MAX_TAG_BYTES }) };
    case 'join-approval':
      return { type, group, name: name(), nonce: nonce(), askedAtMs: reader.integer(8, 'askedAtMs') };
    case 'renew':
    case 'resign':
      return { type, group, credential: credential(reader, 9) };
  }
}

export function encodeFindAnswer(charters: readonly Uint8Array[]): Uint8Array {
  return encode([[1, charters]]);
}

/** Throws `too-large` or `malformed`. */
export function decodeFindAnswer(bytes: Uint8Array): Uint8Array[] {
  const charters = read(bytes, ANSWER).array(1, 'charters', { maxLength: MAX_GROUPS_FOUND });
  return charters.map((each) => readBytes(each, `${ANSWER}: charter`));
}

export function encodeApplyAnswer(answer: ApplyAnswer): Uint8Array {
  return encode([
    [1, answer.charter],
    [2, answer.proof],
    [3, answer.nowMs],
    [4, answer.password?.salt],
    [5, answer.password?.nonce],
  ]);
}

/** Throws `too-large` or `malformed`. */
export function decodeApplyAnswer(bytes: Uint8Array): ApplyAnswer {
  const reader = read(bytes, ANSWER);
  const salt = reader.optionalBytes(4, 'salt', { length: SALT_BYTES });
  return {
    charter: reader.bytes(1, 'charter'),
    proof: credential(reader, 2),
    nowMs: reader.integer(3, 'nowMs'),
    password: salt && { salt, nonce: reader.bytes(5, 'nonce', { length: NONCE_BYTES }) },
  };
}

export function encodePasswordAnswer({ share, tag }: PasswordAnswer): Uint8Array {
  return encode([
    [1, share],
    [2, tag],
  ]);
}

/** Throws `too-large` or `malformed`. */
export function decodePasswordAnswer(bytes: Uint8Array): PasswordAnswer {
  const reader = read(bytes, ANSWER);
  return {
    share: reader.bytes(1, 'share', { length: SHARE_BYTES }),
    tag: reader.bytes(2, 'tag', { maxLength: MAX_TAG_BYTES }),
  };
}

/** The answer to `resign` says nothing more. */
export function encodeResignAnswer(): Uint8Array {
  return encode([]);
}

export function encodeMembershipAnswer(answer: MembershipAnswer): Uint8Array {
  if (answer.state === 'joined') {
    return encode([
      [1, answer.credential],
      [2, answer.statements],
    ]);
  }
  return encode([
    [3, answer.have],
    [4, answer.needed],
  ]);
}

/** Throws `too-large` or `malformed`. */
export function decodeMembershipAnswer(bytes: Uint8Array): MembershipAnswer {
  const reader = read(bytes, ANSWER);
  if (!reader.has(1)) {
    return { state: 'pending', have: reader.integer(3, 'approvals'), needed: reader.integer(4, 'approvals needed') };
  }
  const statements = reader.array(2, 'statements', { maxLength: MAX_STATEMENTS_ALONG });
  return {
    state: 'joined',
    credential: credential(reader, 1),
    statements: statements.map((each) => readBytes(each, `${ANSWER}: statement`)),
  };
}

function credential(reader: MapReader, key: number): Uint8Array {
  return reader.bytes(key, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES });
}

/** Members that are undefined are left out. */
function encode(members: readonly (readonly [number, CborInput | undefined])[]): Uint8Array {
  return encodeCanonical(new Map(members));
}

function read(bytes: Uint8Array, what: string): MapReader {
  return readMap(decodeStrict(bytes, { maxBytes: MAX_MEMBERSHIP_MESSAGE_BYTES }), what);
}
