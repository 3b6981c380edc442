import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

const WHAT = 'The body of a delegation';

/** The body of a `delegation` advertisement: its publisher, a virtual peer, lets `delegate` speak for it. */
export interface DelegationBody {
  /** The proxy host. */
  readonly delegate: PeerId;
  /** Wall clock, milliseconds since 1970; the delegation is void after it. */
  readonly notAfterMs: number;
}

/** `{1: delegate's 32 bytes, 2: notAfterMs}`. */
export function encodeDelegationBody(body: DelegationBody): Uint8Array {
  return encodeCanonical(
    new Map<number, Uint8Array | number>([
      [1, peerIdToBytes(body.delegate)],
      [2, body.notAfterMs],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeDelegationBody(bytes: Uint8Array): DelegationBody {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), WHAT);
  return {
    delegate: peerIdFromBytes(reader.bytes(1, 'delegate', { length: 32 })),
    notAfterMs: reader.integer(2, 'notAfterMs'),
  };
}
