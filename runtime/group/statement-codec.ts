/**
 * Statement on the wire: a COSE_Sign1 (see advertisement/cose-sign1.ts) in the domain `pipevine/1 statement` whose payload
 * is canonical CBOR (docs/protocol/group.cddl). Its signer is its issuer.
 *
 * | key | member     | value                                                                       |
 * |-----|------------|-----------------------------------------------------------------------------|
 * |   1 | group      | 32 bytes                                                                    |
 * |   2 | type       | 0 charter, 1 revocations, 2 application, 3 approval, 4 epoch                |
 * |   3 | key        | text: of several of a type and issuer, which one                            |
 * |   4 | sequence   | of two with the same type, issuer and key the higher counts; ms when signed |
 * |   5 | untilMs    | wall clock, milliseconds since 1970: may be forgotten then                  |
 * |   6 | credential | of the issuer; absent when it is the group's authority                      |
 * |   7 | content    | bytes, as the type has it                                                   |
 */
import { type CoseSign1, decodeCose, equalBytes, signCose, verifyCose } from '../advertisement/cose-sign1.ts';
import { PipevineError } from '../error/pipevine-error.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import type { Crypto, SigningKey } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import type { CborInput } from '../wire/encode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import {
  MAX_ENCODED_CREDENTIAL_BYTES,
  MAX_STATEMENT_BYTES,
  MAX_STATEMENT_CONTENT_BYTES,
  MAX_STATEMENT_KEY_BYTES,
} from './group-defaults.ts';

export const STATEMENT_TYPES = ['charter', 'revocations', 'application', 'approval', 'epoch'] as const;
export type StatementType = (typeof STATEMENT_TYPES)[number];

const DOMAIN = 'pipevine/1 statement';
const WHAT = 'A statement';

export interface StatementFields {
  readonly group: GroupId;
  readonly type: StatementType;
  readonly key: string;
  readonly sequence: number;
  readonly untilMs: number;
  readonly credential: Uint8Array | undefined;
  readonly content: Uint8Array;
}

/** A statement taken apart; nothing of it is proven yet. */
export interface StatementForm extends StatementFields {
  readonly issuer: PeerId;
  readonly cose: CoseSign1;
  readonly encoded: Uint8Array;
}

/** Throws `invalid-argument` when it breaks a bound that readers enforce. */
export function signStatement(signing: SigningKey, fields: StatementFields): StatementForm {
  const payload = encodeCanonical(
    new Map<number, CborInput | undefined>([
      [1, groupIdToBytes(fields.group)],
      [2, STATEMENT_TYPES.indexOf(fields.type)],
      [3, fields.key],
      [4, fields.sequence],
      [5, fields.untilMs],
      [6, fields.credential],
      [7, fields.content],
    ]),
  );
  try {
    return readStatement(signCose(signing, DOMAIN, payload));
  } catch (cause) {
    if (!(cause instanceof PipevineError)) throw cause;
    throw new PipevineError('invalid-argument', `The statement cannot be made: ${cause.message}`, { cause });
  }
}

/** The form alone. Throws `too-large`, `malformed`, or `unsupported` for a type of a later version. */
export function readStatement(encoded: Uint8Array): StatementForm {
  const cose = decodeCose(encoded, WHAT, MAX_STATEMENT_BYTES);
  const value = decodeStrict(cose.payload);
  if (!equalBytes(encodeCanonical(value), cose.payload)) {
    throw new PipevineError('malformed', `${WHAT}: the payload is not in canonical order and shortest form.`);
  }
  const reader = readMap(value, WHAT);
  const code = reader.integer(2, 'type');
  const type = STATEMENT_TYPES[code];
  if (type === undefined) {
    throw new PipevineError('unsupported', `${WHAT} of type ${code} is unknown here; update Pipevine.`);
  }
  return {
    group: groupIdFromBytes(reader.bytes(1, 'group', { length: 32 })),
    type,
    key: reader.text(3, 'key', { maxBytes: MAX_STATEMENT_KEY_BYTES }),
    sequence: reader.integer(4, 'sequence'),
    untilMs: reader.integer(5, 'untilMs'),
    credential: reader.optionalBytes(6, 'credential', { maxLength: MAX_ENCODED_CREDENTIAL_BYTES }),
    content: reader.bytes(7, 'content', { maxLength: MAX_STATEMENT_CONTENT_BYTES }),
    issuer: peerIdFromBytes(cose.signer),
    cose,
    encoded,
  };
}

/** Throws `forged` when the issuer has not signed it, or has no credential in it and is not the authority. */
export function verifyStatement(crypto: Crypto, form: StatementForm): void {
  if (form.credential === undefined && !equalBytes(form.cose.signer, groupIdToBytes(form.group))) {
    throw new PipevineError('forged', "A statement is signed neither by the group's authority nor with a credential.");
  }
  verifyCose(crypto, DOMAIN, form.cose, WHAT);
}
