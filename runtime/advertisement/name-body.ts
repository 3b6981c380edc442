import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readMap } from '../wire/shape.ts';
import { MAX_BODY_BYTES } from './advertisement-defaults.ts';

const MAX_SERVICE_BYTES = 128;

/** The body of a `name` advertisement: the advertisement's name stands for this peer, or a service of it. */
export interface NameBody {
  readonly peer: PeerId;
  /** Name of the pipe that the service listens on; empty for the peer itself. */
  readonly service: string;
}

/** `{1: peer's 32 bytes, ? 2: service}`. */
export function encodeNameBody(body: NameBody): Uint8Array {
  return encodeCanonical(
    new Map<number, Uint8Array | string | undefined>([
      [1, peerIdToBytes(body.peer)],
      [2, body.service === '' ? undefined : body.service],
    ]),
  );
}

/** Throws `malformed`. */
export function decodeNameBody(bytes: Uint8Array): NameBody {
  const reader = readMap(decodeStrict(bytes, { maxBytes: MAX_BODY_BYTES }), 'The body of a name advertisement');
  return {
    peer: peerIdFromBytes(reader.bytes(1, 'peer', { length: 32 })),
    service: reader.optionalText(2, 'service', { maxBytes: MAX_SERVICE_BYTES }) ?? '',
  };
}
