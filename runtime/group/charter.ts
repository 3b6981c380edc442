/**
 * What the authority says of its group: the content of a `charter` statement.
 *
 * | key | member    | value                                                |
 * |-----|-----------|------------------------------------------------------|
 * |   1 | name      | text                                                 |
 * |   2 | policy    | 0 open, 1 code, 2 password, 3 approval, 4 quorum     |
 * |   3 | needed    | of a quorum: how many approvals                      |
 * |   4 | approvers | of a quorum: array of 32 bytes                       |
 * |   5 | listed    | whether a peer that is no member may find the group  |
 * |   6 | roles     | array of text: given on admission                    |
 */
import { PipevineError } from '../error/pipevine-error.ts';
import type { GroupId } from '../id/group-id.ts';
import { peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { Crypto } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readBytes, readMap, readText } from '../wire/shape.ts';
import { MAX_APPROVERS, MAX_GROUP_NAME_BYTES, MAX_ROLE_BYTES, MAX_ROLES } from './group-defaults.ts';
import type { MembershipPolicy } from './membership-policy.ts';
import { readStatement, type StatementForm, verifyStatement } from './statement-codec.ts';

const WHAT = 'A charter';
const POLICIES = ['open', 'code', 'password', 'approval', 'quorum'] as const;

export interface CharterContent {
  readonly name: string;
  readonly policy: MembershipPolicy;
  readonly listed: boolean;
  /** Given on admission. */
  readonly roles: readonly string[];
}

/** What a group's authority says of it, signed. */
export interface Charter extends CharterContent {
  readonly group: GroupId;
  readonly sequence: number;
  /** The statement. */
  readonly encoded: Uint8Array;
}

/** Throws `invalid-argument`, saying which bound was broken. */
export function encodeCharterContent(charter: CharterContent): Uint8Array {
  const { policy } = charter;
  const quorum = policy.type === 'quorum' ? policy : undefined;
  const content = encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, charter.name],
      [2, POLICIES.indexOf(policy.type)],
      [3, quorum?.needed],
      [4, quorum?.approvers.map(peerIdToBytes)],
      [5, charter.listed],
      [6, charter.roles],
    ]),
  );
  try {
    readContent(content);
  } catch (cause) {
    if (!(cause instanceof PipevineError)) throw cause;
    throw new PipevineError('invalid-argument', `The group cannot be so: ${cause.message}`, { cause });
  }
  return content;
}

/** The charter in a statement, whose signature it does not check. Throws `forged`, `malformed` or `unsupported`. */
export function charterOf(form: Omit<StatementForm, 'cose'>): Charter {
  if (form.type !== 'charter' || form.key !== '' || form.credential !== undefined) {
    throw new PipevineError('forged', `${WHAT} is a statement of the group's authority and has no key.`);
  }
  return { ...readContent(form.content), group: form.group, sequence: form.sequence, encoded: form.encoded };
}

/** Reads a charter and checks that the authority signed it. Throws `too-large`, `malformed`, `forged` or `unsupported`. */
export function verifyCharter(crypto: Crypto, encoded: Uint8Array): Charter {
  const form = readStatement(encoded);
  const charter = charterOf(form);
  verifyStatement(crypto, form);
  return charter;
}

function readContent(bytes: Uint8Array): CharterContent {
  const reader = readMap(decodeStrict(bytes), WHAT);
  const name = reader.text(1, 'name', { maxBytes: MAX_GROUP_NAME_BYTES });
  if (name === '') throw new PipevineError('malformed', `${WHAT}: the name has 1 to ${MAX_GROUP_NAME_BYTES} bytes.`);
  return {
    name,
    policy: readPolicy(reader),
    listed: reader.boolean(5, 'listed'),
    roles: reader
      .array(6, 'roles', { minLength: 1, maxLength: MAX_ROLES })
      .map((role) => readText(role, `${WHAT}: role`, { maxBytes: MAX_ROLE_BYTES })),
  };
}

function readPolicy(reader: MapReader): MembershipPolicy {
  const code = reader.integer(2, 'policy');
  const type = POLICIES[code];
  if (type === undefined) {
    throw new PipevineError('unsupported', `Admission policy ${code} of a group is unknown; update Pipevine.`);
  }
  if (type !== 'quorum') return { type };
  const approvers = reader
    .array(4, 'approvers', { minLength: 1, maxLength: MAX_APPROVERS })
    .map((one) => peerIdFromBytes(readBytes(one, `${WHAT}: approver`, { length: 32 })));
  if (new Set(approvers).size !== approvers.length) {
    throw new PipevineError('malformed', `${WHAT}: an approver is named twice; each has one voice.`);
  }
  return { type, approvers, needed: reader.integer(3, 'needed', { min: 1, max: approvers.length }) };
}
