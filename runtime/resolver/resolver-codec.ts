/**
 * Requests on the pipe `resolver` of a group, and what is signed in them. Shapes: docs/protocol/resolver.cddl.
 *
 *     request      0  handler  body            directed; the replies are the handler's bytes
 *                  1  ttl  path  message       propagated; replies: one of no bytes, or for a query a sequence of answers
 *     message      COSE_Sign1 `pipevine/1 propagated` of the origin:
 *                  {1 id, 2 group, 3 handler, 4 is a query, 5 timeout ms, 6 issued at ms, 7 credential, 8 body}
 *     answer       COSE_Sign1 `pipevine/1 answer` of the responder:
 *                  {1 id of the query, 2 number, 3 body, ? 4 credential: with number 0}
 *
 * `path` is who had the message before, the origin first and the sender last: hints, as the ttl is; only the message is
 * signed.
 */
import { type CoseSign1, decodeCose, signCose } from '../advertisement/cose-sign1.ts';
import { type GroupId, groupIdFromBytes, groupIdToBytes } from '../id/group-id.ts';
import { type PeerId, peerIdFromBytes, peerIdToBytes } from '../id/peer-id.ts';
import type { SigningKey } from '../platform/crypto.ts';
import { decodeStrict } from '../wire/decode.ts';
import { encodeCanonical } from '../wire/encode.ts';
import { readArray, readBytes, readInteger, readMap, readText } from '../wire/shape.ts';
import {
  MAX_ANSWER_BYTES,
  MAX_HANDLER_BYTES,
  MAX_MESSAGE_BYTES,
  MAX_QUERY_BYTES,
  MAX_QUERY_TIMEOUT_MS,
  MAX_TTL_HOPS,
} from './resolver-defaults.ts';

export const MESSAGE_DOMAIN = 'pipevine/1 propagated';
export const ANSWER_DOMAIN = 'pipevine/1 answer';
export const MESSAGE = 'A propagated message';
export const ANSWER = 'An answer to a propagated query';
const REQUEST = 'A request to the resolver';
const HANDLER_RULE = { maxBytes: MAX_HANDLER_BYTES };

export type ResolverRequest =
  | { readonly type: 'directed'; readonly handler: string; readonly body: Uint8Array }
  | {
      readonly type: 'propagated';
      /** Hops left, the one it has just taken included: 1 goes no further. */
      readonly ttlHops: number;
      readonly path: readonly PeerId[];
      readonly signed: Uint8Array;
    };

export interface PropagatedMessage {
  /** 16 bytes. */
  readonly id: Uint8Array;
  readonly group: GroupId;
  readonly handler: string;
  readonly isQuery: boolean;
  readonly timeoutMs: number;
  /** Wall clock of the origin, ms since 1970. */
  readonly issuedAtMs: number;
  readonly credential: Uint8Array;
  readonly body: Uint8Array;
}

/** A message whose signature and credential are not yet checked. */
export interface SignedMessage extends PropagatedMessage {
  readonly origin: PeerId;
  readonly cose: CoseSign1;
}

export interface SignedAnswer {
  readonly queryId: Uint8Array;
  /** 0 for the responder's first answer. */
  readonly number: number;
  readonly body: Uint8Array;
  readonly credential: Uint8Array | undefined;
}

export function encodeRequest(request: ResolverRequest): Uint8Array {
  return encodeCanonical(
    request.type === 'directed'
      ? [0, request.handler, request.body]
      : [1, request.ttlHops, request.path.map(peerIdToBytes), request.signed],
  );
}

/** Throws `malformed` or `too-large`. */
export function decodeRequest(bytes: Uint8Array): ResolverRequest {
  const members = readArray(decodeStrict(bytes, { maxBytes: MAX_QUERY_BYTES }), REQUEST, {
    minLength: 3,
    maxLength: 8,
  });
  if (readInteger(members[0], `${REQUEST}: type`, { max: 1 }) === 0) {
    const handler = readText(members[1], `${REQUEST}: handler`, HANDLER_RULE);
    return { type: 'directed', handler, body: readBytes(members[2], `${REQUEST}: body`) };
  }
  const path = readArray(members[2], `${REQUEST}: path`, { minLength: 1, maxLength: MAX_TTL_HOPS });
  return {
    type: 'propagated',
    ttlHops: readInteger(members[1], `${REQUEST}: ttl`, { min: 1, max: MAX_TTL_HOPS }),
    path: path.map((peer) => peerIdFromBytes(readBytes(peer, `${REQUEST}: path`, { length: 32 }))),
    signed: readBytes(members[3], `${REQUEST}: message`, { maxLength: MAX_MESSAGE_BYTES }),
  };
}

export function signMessage(signing: SigningKey, message: PropagatedMessage): Uint8Array {
  const { id, group, handler, isQuery, timeoutMs, issuedAtMs, credential, body } = message;
  const members = [id, groupIdToBytes(group), handler, isQuery, timeoutMs, issuedAtMs, credential, body];
  return signCose(signing, MESSAGE_DOMAIN, encodeCanonical(new Map(members.map((member, i) => [i + 1, member]))));
}

/** Throws `malformed` or `too-large`; the signature is not yet checked. */
export function decodeMessage(signed: Uint8Array): SignedMessage {
  const cose = decodeCose(signed, MESSAGE, MAX_MESSAGE_BYTES);
  const reader = readMap(decodeStrict(cose.payload), MESSAGE);
  return {
    id: reader.bytes(1, 'id', { length: 16 }),
    group: groupIdFromBytes(reader.bytes(2, 'group', { length: 32 })),
    handler: reader.text(3, 'handler', HANDLER_RULE),
    isQuery: reader.boolean(4, 'is a query'),
    timeoutMs: reader.integer(5, 'timeout', { max: MAX_QUERY_TIMEOUT_MS }),
    issuedAtMs: reader.integer(6, 'issued at'),
    credential: reader.bytes(7, 'credential'),
    body: reader.bytes(8, 'body'),
    origin: peerIdFromBytes(cose.signer),
    cose,
  };
}

export function signAnswer(signing: SigningKey, { queryId, number, body, credential }: SignedAnswer): Uint8Array {
  const members = new Map([queryId, number, body, credential].map((member, i) => [i + 1, member]));
  return signCose(signing, ANSWER_DOMAIN, encodeCanonical(members));
}

/** Throws `malformed` or `too-large`; the signature is not yet checked. */
export function decodeAnswer(signed: Uint8Array): SignedAnswer & { readonly cose: CoseSign1 } {
  const cose = decodeCose(signed, ANSWER, MAX_ANSWER_BYTES);
  const reader = readMap(decodeStrict(cose.payload), ANSWER);
  return {
    queryId: reader.bytes(1, 'id of the query', { length: 16 }),
    number: reader.integer(2, 'number'),
    body: reader.bytes(3, 'body'),
    credential: reader.optionalBytes(4, 'credential'),
    cose,
  };
}
