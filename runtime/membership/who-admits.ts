/**
 * Who admits to a group, as a relay of the group says to whoever is no member yet: a request pipe in the world group, under
 * the link. Its name is `admission.` and the group's fingerprint (group-fingerprint.ts) as base32, so that a relay tells
 * nothing to whoever knows neither the group nor a code. The request is an empty map, the answer an array of up to 4 peer ids
 * of 32 bytes: administrators, and approvers of a quorum, to whom the relay forwards. Canonical CBOR
 * (docs/protocol/membership.cddl). A hint: who is an administrator has to prove that itself.
 */
import { PipevineError } from '../error/pipevine-error.ts';
import { base32Encode } from '../id/base32.ts';
import { WORLD_GROUP } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes } from '../id/peer-id.ts';
import type { PipeService, WaitOptions } from '../pipe/pipe.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readBytes } from '../wire/shape.ts';
import { DIRECTORY_TIMEOUT_MS, MAX_DIRECTORY_MESSAGE_BYTES, MAX_NAMED_ADMINISTRATORS } from './membership-defaults.ts';

/**
 * Asks a neighbour who admits to the group of that fingerprint. Rejects with `not-found` when it is no relay of the group,
 * `malformed`, `too-large`, and the errors of the pipe.
 */
export async function askAdministrators(
  pipes: Pick<PipeService, 'requester'>,
  peer: PeerId,
  fingerprint: Uint8Array,
  { signal }: Pick<WaitOptions, 'signal'>,
): Promise<readonly PeerId[]> {
  const wait = { timeoutMs: DIRECTORY_TIMEOUT_MS, ...(signal && { signal }) };
  const pipe = await pipes.requester({ peer, group: WORLD_GROUP, name: directoryName(fingerprint), ...wait });
  try {
    return decodeAdministrators(await pipe.request(encodeCanonical(new Map()), wait));
  } finally {
    await pipe.close(wait);
  }
}

/** Throws `malformed` or `too-large`. */
export function decodeAdministrators(bytes: Uint8Array): readonly PeerId[] {
  const named = decodeStrict(bytes, { maxBytes: MAX_DIRECTORY_MESSAGE_BYTES });
  if (!Array.isArray(named) || named.length > MAX_NAMED_ADMINISTRATORS) {
    throw new PipevineError(
      'malformed',
      `Who admits is told as an array of up to ${MAX_NAMED_ADMINISTRATORS} peer ids; something else came.`,
    );
  }
  return [...new Set(named.map((id) => peerIdFromBytes(readBytes(id, 'An administrator', { length: 32 }))))];
}

/** Under which name a relay answers. */
export function directoryName(fingerprint: Uint8Array): string {
  return `admission.${base32Encode(fingerprint)}`;
}
