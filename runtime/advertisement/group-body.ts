import { PipevineError } from '../error/pipevine-error.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

/** How a peer becomes a member. `code`: by a join code of an administrator. */
export const ADMISSION_POLICIES = ['code'] as const;
export type AdmissionPolicy = (typeof ADMISSION_POLICIES)[number];

/** The body of a `group` advertisement; the group's name is the advertisement's. */
export interface GroupBody {
  readonly admission: AdmissionPolicy;
}

/** `{1: 0 for code}`. */
export function encodeGroupBody(body: GroupBody): Uint8Array {
  return encodeCanonical(new Map([[1, ADMISSION_POLICIES.indexOf(body.admission)]]));
}

/** Throws `malformed`, or `unsupported` for a policy of a later version. */
export function decodeGroupBody(bytes: Uint8Array): GroupBody {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), 'The body of a group advertisement');
  const code = reader.integer(1, 'admission');
  const admission = ADMISSION_POLICIES[code];
  if (admission === undefined) {
    throw new PipevineError('unsupported', `Admission policy ${code} of a group is unknown; update Pipevine.`);
  }
  return { admission };
}
