/**
 * The membership protocol: requests and answers over a request pipe in the world group, service `membership`. Maps of
 * canonical CBOR with integer keys (docs/protocol/membership.cddl):
 *
 * | request | 0 type | members                                                     | answer                            |
 * |---------|--------|-------------------------------------------------------------|-----------------------------------|
 * | apply   |      1 | 1 fingerprint                                               | 1 group, 2 group name, 3 proof    |
 * | join    |      2 | 1 fingerprint, 2 secret, 3 applicant's name                 | 1 credential, 2 group name, ? 3 group advertisement |
 * | renew   |      3 | 4 group, 5 credential                                       | 1 credential, 2 group name        |
 *
 * The proof is the responder's own credential, as administrator of the group: the applicant checks it before it tells the
 * secret. What goes wrong is an error of the request pipe.
 */
import { MAX_ADVERTISEMENT_BYTES } from '../advertisement/advertisement-defaults.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { MAX_ENCODED_CREDENTIAL_BYTES, MAX_GROUP_NAME_BYTES } from '../group/group-defaults.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { type MapReader, readMap } from '../wire/shape.ts';
import { FINGERPRINT_BYTES } from './group-fingerprint.ts';
import { JOIN_SECRET_BYTES } from './join-code.ts';
import { MAX_APPLICANT_NAME_BYTES, MAX_MEMBERSHIP_MESSAGE_BYTES } from './membership-defaults.ts';

const REQUEST = 'A membership request';
const ANSWER = 'A membership answer';

export type MembershipRequest =
  | { readonly type: 'apply'; readonly fingerprint: Uint8Array }
  | { readonly type: 'join'; readonly fingerprint: Uint8Array; readonly secret: Uint8Array; readonly name: string }
  | { readonly type: 'renew'; readonly group: GroupId; readonly credential: Uint8Array };

export interface ApplyAnswer {
  readonly group: GroupId;
  readonly groupName: string;
  readonly proof: Uint8Array;
}

export interface MembershipAnswer {
  readonly credential: Uint8Array;
  readonly groupName: string;
  /** The group's advertisement, when the administrator has it at hand. */
  readonly groupAdvertisement?: Uint8Array | undefined;
}

export function encodeMembershipRequest(request: MembershipRequest): Uint8Array {
  switch (request.type) {
    case 'apply':
      return encodeCanonical(
        new Map<number, number | Uint8Array>([
          [0, 1],
          [1, request.fingerprint],
        ]),
      );
    case 'join':
      return encodeCanonical(
        new Map<number, number | string | Uint8Array>([
          [0, 2],
          [1, request.fingerprint],
          [2, request.secret],
          [3, request.name],
        ]),
      );
    case 'renew':
      return encodeCanonical(
        new Map<number, number | Uint8Array>([
          [0, 3],
          [4, groupIdToBytes(request.group)],
          [5, request.credential],
        ]),
      );
  }
}

/** Throws `too-large`, `malformed`, or `unsupported` for a request of a later version. */
export function decodeMembershipRequest(bytes: Uint8Array): MembershipRequest {
  const reader = read(bytes, REQUEST);
  const type = reader.integer(0, 'type');
  if (type === 3) {
    return {
      type: 'renew',
      group: groupIdFromBytes(reader.bytes(4, 'group', { length: 32 })),
      credential: reader.bytes(5, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES }),
    };
  }
  if (type !== 1 && type !== 2) {
    throw new PipevineError('unsupported', `${REQUEST} of type ${type}: 1 apply, 2 join and 3 renew are known here.`);
  }
  const fingerprint = reader.bytes(1, 'fingerprint', { length: FINGERPRINT_BYTES });
  if (type === 1) return { type: 'apply', fingerprint };
  return {
    type: 'join',
    fingerprint,
    secret: reader.bytes(2, 'secret', { length: JOIN_SECRET_BYTES }),
    name: reader.text(3, 'name', { maxBytes: MAX_APPLICANT_NAME_BYTES }),
  };
}

export function encodeApplyAnswer(answer: ApplyAnswer): Uint8Array {
  return encodeCanonical(
    new Map<number, string | Uint8Array>([
      [1, groupIdToBytes(answer.group)],
      [2, answer.groupName],
      [3, answer.proof],
    ]),
  );
}

/** Throws `too-large` or `malformed`. */
export function decodeApplyAnswer(bytes: Uint8Array): ApplyAnswer {
  const reader = read(bytes, ANSWER);
  return {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    groupName: groupName(reader),
    proof: reader.bytes(3, 'proof', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES }),
  };
}

/** The answer to join and to renew. */
export function encodeMembershipAnswer(answer: MembershipAnswer): Uint8Array {
  return encodeCanonical(
    new Map<number, string | Uint8Array | undefined>([
      [1, answer.credential],
      [2, answer.groupName],
      [3, answer.groupAdvertisement],
    ]),
  );
}

/** Throws `too-large` or `malformed`. */
export function decodeMembershipAnswer(bytes: Uint8Array): MembershipAnswer {
  const reader = read(bytes, ANSWER);
  return {
    credential: reader.bytes(1, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES }),
    groupName: groupName(reader),
    groupAdvertisement: reader.optionalBytes(3, 'group advertisement', { maxLength: MAX_ADVERTISEMENT_BYTES }),
  };
}

function groupName(reader: MapReader): string {
  return reader.text(2, 'group name', { maxBytes: MAX_GROUP_NAME_BYTES });
}

function read(bytes: Uint8Array, what: string): MapReader {
  return readMap(decodeStrict(bytes, { maxBytes: MAX_MEMBERSHIP_MESSAGE_BYTES }), what);
}
